// SPDX-License-Identifier: Apache-2.0
// A terminal that takes nothing (a connection that stalls) holds up whoever writes to it. A signal that is to end this
// ends it there, too, and the terminal is as it was when it takes something again.
#pragma once

#include <string>

namespace weir::top {

/// What ends this: SIGHUP, SIGINT, SIGQUIT, SIGTERM.
class Leave {
public:
	/// To be made before the terminal's modes change. Its end puts back how the signals were handled.
	Leave();
	Leave(const Leave &) = delete;
	Leave &operator=(const Leave &) = delete;
	~Leave();
	/// What to write: out of the alternate screen, the cursor shown.
	static void set_words(const std::string &);

	/// As long as it lives one of the signals ends the process at once; else they wait, blocked.
	class Possible {
	public:
		Possible();
		Possible(const Possible &) = delete;
		Possible &operator=(const Possible &) = delete;
		~Possible();
	};
};

} // namespace weir::top
