// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <exception>
#include <iostream>

namespace weir::bench {
void register_connect();
void register_packet();
void register_compile();
void register_traffic();
void register_events();
void register_journal();
void register_edge();
void register_flood();
void register_edge_traffic();
} // namespace weir::bench

int main(int argc, char **argv)
{
	try {
		weir::bench::register_connect();
		weir::bench::register_traffic();
		weir::bench::register_packet();
		weir::bench::register_compile();
		weir::bench::register_events();
		weir::bench::register_journal();
		weir::bench::register_edge();
		weir::bench::register_flood();
		weir::bench::register_edge_traffic();
		benchmark::Initialize(&argc, argv);
		if (benchmark::ReportUnrecognizedArguments(argc, argv))
			return 2;
		benchmark::RunSpecifiedBenchmarks();
		benchmark::Shutdown();
	} catch (const std::exception &problem) {
		std::cerr << "weir-bench: " << problem.what() << '\n';
		return 1;
	}
	return 0;
}
