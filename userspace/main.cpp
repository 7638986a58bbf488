// SPDX-License-Identifier: Apache-2.0
#include "cli/application.h"

int main(int argc, char **argv)
{
	return weir::cli::run(argc, argv);
}
