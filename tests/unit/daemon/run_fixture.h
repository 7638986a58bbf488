// SPDX-License-Identifier: Apache-2.0
// What the daemon's tests share: an instance of the fake kernel, and a file that it is streamed to.
#pragma once

#include "daemon/run.h"
#include "fake_kernel.h"
#include "tests/unit/audit/sample.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

namespace weir::daemon {

using kernel::fake;
using kernel::Handle;
using Json = nlohmann::json;
namespace fs = std::filesystem;

class Run : public testing::Test {
protected:
	void SetUp() override
	{
		// In memory, where there is: a journal is brought to the disk often.
		const std::string memory = "/dev/shm/";
		std::string name = (::access(memory.c_str(), W_OK) == 0 ? memory : testing::TempDir()) +
				   "weir-run-XXXXXX";
		directory_ = ::mkdtemp(name.data());
		where_.bpffs = directory_ / "bpf";
		fs::create_directories(where_.directory());
		file_ = directory_ / "default.jsonl";
		fake() = {};
	}
	void TearDown() override
	{
		// The daemon ends with its process, and so leaves its signals blocked. Ignoring drops what is pending:
		// not for the next test, nor for this process, which has to end when it is told to.
		sigset_t blocked;
		sigemptyset(&blocked);
		for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
			std::signal(signal, SIG_IGN);
			sigaddset(&blocked, signal);
		}
		::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
		for (const int signal : {SIGTERM, SIGINT, SIGHUP})
			std::signal(signal, SIG_DFL);
		fs::remove_all(directory_);
	}

	/// A poll that finds so many events; `then` happens behind the last.
	static void poll(int events, std::function<void()> then = [] {})
	{
		fake().polls.emplace_back([events, then = std::move(then)](const Handle &handle) {
			for (int i = 0; i < events; i++)
				handle(audit::refused_connect());
			then();
		});
	}
	Result<Exit> run(std::string output = "")
	{
		testing::internal::CaptureStderr();
		auto result = daemon::run({.where = where_, .output = output.empty() ? file_.string() : output});
		said_ = testing::internal::GetCapturedStderr();
		return result;
	}
	static std::vector<Json> records(const fs::path &file, std::string_view dataset = "weir.violation")
	{
		std::vector<Json> all;
		std::ifstream in(file);
		for (std::string line; std::getline(in, line);)
			if (auto record = Json::parse(line); record["event"]["dataset"] == dataset)
				all.push_back(std::move(record));
		return all;
	}

	fs::path directory_, file_;
	kernel::Where where_;
	std::string said_;
};

} // namespace weir::daemon
