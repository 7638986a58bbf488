// SPDX-License-Identifier: Apache-2.0
// What tests of components share: real containers by runc, crun and Podman, and `weir run` beside them.
#pragma once

#include "tests/lab/lab_test.h"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace weir::test {

/// `weir run`, for as long as it lives, writing to a file.
class Running {
public:
	explicit Running(const Lab &lab)
		: file_(fresh(lab.directory() + "/components.jsonl")), run_(lab.command({"run", "--output", file_}))
	{
		if (!eventually([&] { return std::filesystem::exists(file_); }, Millis(10000)))
			throw std::runtime_error("weir run does not start: " + run_.wait(Millis(1)).err);
	}
	[[nodiscard]] std::vector<nlohmann::json> records(const std::string &action) const
	{
		std::vector<nlohmann::json> all;
		std::ifstream in(file_);
		for (std::string line; std::getline(in, line) && !in.eof();)
			if (auto record = nlohmann::json::parse(line); field(record, "event.action") == action)
				all.push_back(std::move(record));
		return all;
	}
	/// Waits until there are so many; false when there aren't in time.
	[[nodiscard]] bool has(const std::string &action, std::size_t count = 1) const
	{
		return eventually([&] { return records(action).size() >= count; }, Millis(10000));
	}
	Program &program() { return run_; }

private:
	static std::string fresh(std::string file)
	{
		std::filesystem::remove(file);
		return file;
	}
	std::string file_;
	Program run_;
};

/// The runtimes see cgroup2 alone, as on a host of today, and no containers but the test's.
inline void prepare_for_runtimes()
{
	static bool done = false;
	if (std::exchange(done, true))
		return;
	if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
		raise("own mounts");
	if (cgroup2_mount() != "/sys/fs/cgroup" && (::umount2("/sys/fs/cgroup", MNT_DETACH) != 0 ||
						    ::mount("none", "/sys/fs/cgroup", "cgroup2", 0, nullptr) != 0))
		raise("mounting cgroup2");
	for (const char *state : {"/run/runc", "/run/crun", "/run/libpod", "/run/containers", "/var/lib/containers"}) {
		std::filesystem::create_directories(state);
		if (::mount("none", state, "tmpfs", 0, "mode=0700") != 0)
			raise(state);
	}
}

/// The root of a container that gets the host's own /usr: where to mount it, and what else.
inline void make_root(const std::string &root, std::vector<std::string> places)
{
	namespace fs = std::filesystem;
	places.insert(places.end(), {"usr", "proc", "dev"});
	for (const auto &each : places)
		fs::create_directories(root + "/" + each);
	for (const char *each : {"bin", "lib", "lib64"}) {
		std::error_code there;
		fs::create_directory_symlink(std::string("usr/") + each, root + "/" + each, there);
	}
}

/// A container on the node's network, of the host's own /usr. Its cgroup is called by its id.
class Container {
public:
	/// `parent`: cgroup, an absolute directory.
	Container(const Lab &lab, std::string runtime, std::string id, const std::string &parent,
		  const std::vector<std::string> &argv)
		: runtime_(std::move(runtime)), id_(std::move(id)), cgroup_(parent + "/" + id_)
	{
		namespace fs = std::filesystem;
		bundle_ = lab.directory() + "/bundle-" + id_;
		make_root(bundle_ + "/rootfs", {"try"});
		const auto bind = [](const std::string &from, const std::string &to) {
			return nlohmann::json{
				{"destination", to}, {"type", "bind"}, {"source", from}, {"options", {"rbind", "ro"}}};
		};
		const std::string netns = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(lab.node());
		const nlohmann::json config = {
			{"ociVersion", "1.0.2"},
			{"process",
			 {{"terminal", false},
			  {"user", {{"uid", 0}, {"gid", 0}}},
			  {"args", argv},
			  {"cwd", "/"},
			  {"env", {"PATH=/usr/bin"}}}},
			{"root", {{"path", "rootfs"}}},
			{"mounts",
			 {{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
			  bind("/usr", "/usr"),
			  bind(fs::path(lab.command({}).front()).parent_path(), "/try")}},
			{"linux",
			 {{"cgroupsPath", cgroup_.substr(cgroup2_mount().size())},
			  {"namespaces",
			   {{{"type", "mount"}}, {{"type", "pid"}}, {{"type", "network"}, {"path", netns}}}}}}};
		std::ofstream(bundle_ + "/config.json") << config;
	}
	Container(const Container &) = delete;
	Container &operator=(const Container &) = delete;
	~Container() { stop(); }

	/// Returns when its process was started.
	void start()
	{
		run({"run", "--detach", "--bundle", bundle_, "--pid-file", bundle_ + "/pid", id_});
		running_ = true;
	}
	/// Returns when its process has ended.
	void run_to_its_end()
	{
		running_ = true;
		(void)execute({runtime_, "run", "--bundle", bundle_, id_}, "", {}, Millis(30000));
		stop();
	}
	void stop()
	{
		if (running_)
			(void)execute({runtime_, "delete", "--force", id_});
		running_ = false;
	}
	[[nodiscard]] const std::string &cgroup() const { return cgroup_; }

private:
	void run(std::vector<std::string> words) const
	{
		words.insert(words.begin(), runtime_);
		const Finished done = execute(words, "", {}, Millis(30000));
		if (done.status != 0)
			throw std::runtime_error(runtime_ + " run: exit " + std::to_string(done.status) + "\n" +
						 done.err + done.out);
	}
	std::string runtime_;
	std::string id_;
	std::string cgroup_;
	std::string bundle_;
	bool running_ = false;
};

/// A container of Podman's on the node's network, of the host's own /usr. Its cgroup is called by a number of Podman's.
class PodmanContainer {
public:
	PodmanContainer(const Lab &lab, std::string name, const std::string &parent,
			const std::vector<std::string> &argv)
		: name_(std::move(name))
	{
		const std::string root = lab.directory() + "/podman-" + name_;
		make_root(root, {"sys", "etc", "run", "tmp"});
		// What a machine may lack, or forbid its root: a pids controller, higher limits, filters of devices.
		std::vector<std::string> words{"run",
					       "--detach",
					       "--name",
					       name_,
					       "--privileged",
					       "--pids-limit=-1",
					       "--ulimit=nofile=512:512",
					       "--ulimit=nproc=512:512",
					       "--cgroup-parent",
					       parent.substr(cgroup2_mount().size()),
					       "--network",
					       "ns:/proc/" + std::to_string(::getpid()) + "/fd/" +
						       std::to_string(lab.node()),
					       "--volume",
					       "/usr:/usr:ro",
					       "--rootfs",
					       root};
		words.insert(words.end(), argv.begin(), argv.end());
		const Finished done = podman(words);
		if (done.status != 0)
			throw std::runtime_error("podman run: " + done.err);
		cgroup_ = parent + "/libpod-" + done.out.substr(0, done.out.find('\n'));
	}
	PodmanContainer(const PodmanContainer &) = delete;
	PodmanContainer &operator=(const PodmanContainer &) = delete;
	~PodmanContainer() { (void)podman({"rm", "--force", "--time", "0", name_}); }
	[[nodiscard]] const std::string &cgroup() const { return cgroup_; }

private:
	static Finished podman(std::vector<std::string> words)
	{
		words.insert(words.begin(), {"podman", "--cgroup-manager", "cgroupfs"});
		return execute(words, "", {}, Millis(30000));
	}
	std::string name_;
	std::string cgroup_;
};

} // namespace weir::test
