// SPDX-License-Identifier: Apache-2.0
// A small disk of the test's own, in a mount namespace of its own, that can be full, read-only and without power.
#pragma once

#include "base/fd.h"

#include <gtest/gtest.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>

namespace weir::test {

class Disk {
public:
	/// A disk in memory. `at`: an empty directory. Needs no root where the host lets users make namespaces.
	static testing::AssertionResult make_tmpfs(Disk &disk, const std::string &at, unsigned mebibytes)
	{
		if (auto apart = go_apart(); !apart)
			return apart;
		disk.at_ = at;
		return disk.done("mounting tmpfs",
				 ::mount("none", at.c_str(), "tmpfs", 0,
					 ("mode=0755,size=" + std::to_string(mebibytes) + "M").c_str()));
	}
	/// ext4 with a journal, on a loop device: it can lose what was not brought to it. Needs root.
	static testing::AssertionResult make_ext4(Disk &disk, const std::string &at, unsigned mebibytes)
	{
		if (::geteuid() != 0)
			return testing::AssertionFailure() << "a loop device needs root";
		if (auto apart = go_apart(); !apart)
			return apart;
		return disk.make_loop(Fd(::memfd_create("weir-test-disk", MFD_CLOEXEC)), at, mebibytes, 1024);
	}
	/// The same, on a disk that promises more than it has: while it is starved, what is not there yet can't be
	/// written, whatever the file system says to write(2). Needs root. Blocks that were used before must not be used again:
	/// of a write that is cut short the loop device says that it was whole (drivers/block/loop.c, lo_complete_rq()).
	static testing::AssertionResult make_thin(Disk &disk, const std::string &at, unsigned mebibytes)
	{
		if (::geteuid() != 0)
			return testing::AssertionFailure() << "a loop device needs root";
		if (auto apart = go_apart(); !apart)
			return apart;
		disk.below_ = at + "-below";
		::mkdir(disk.below_.c_str(), 0700);
		const auto size = "size=" + std::to_string(mebibytes) + "M";
		if (::mount("none", disk.below_.c_str(), "tmpfs", 0, size.c_str()) != 0)
			return disk.done("mounting tmpfs", -1);
		const auto image = disk.below_ + "/image";
		return disk.make_loop(Fd(::open(image.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), at, mebibytes,
				      4096);
	}
	void starve() const { fill(below_); }
	void feed() const { ::unlink(ballast(below_).c_str()); }
	~Disk()
	{
		for (const auto &each : {at_, below_})
			if (!each.empty())
				::umount2(each.c_str(), MNT_DETACH);
		if (!below_.empty())
			::rmdir(below_.c_str());
	}

	[[nodiscard]] bool can_fail() const { return !device_.empty(); }

	/// Not a block is left, until make_room().
	void fill() const { fill(at_); }
	static void fill(const std::string &directory)
	{
		const Fd file(::open(ballast(directory).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
		static const std::string block(64u << 10, 'x');
		for (auto size = block.size(); size > 0;)
			if (::write(file.get(), block.data(), size) <= 0)
				size /= 2; // down to the last byte
	}
	void make_room() const
	{
		::unlink(ballast(at_).c_str());
		const Fd root(::open(at_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		::fsync(root.get()); // it shall not be back after a failure of the disk
	}

	/// No path of it can be written to, until allow_paths(); what is open for writing can: a remount is refused
	/// with EBUSY as long as there is such a file.
	[[nodiscard]] testing::AssertionResult forbid_paths()
	{
		// Made elsewhere, so that nobody finds it while it can be written to, and then put in its place.
		const auto elsewhere = at_ + "-forbidden";
		::mkdir(elsewhere.c_str(), 0700);
		if (::mount(at_.c_str(), elsewhere.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
		    ::mount(nullptr, elsewhere.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0 ||
		    ::mount(elsewhere.c_str(), at_.c_str(), nullptr, MS_MOVE, nullptr) != 0)
			return done("a read-only bind mount", -1);
		::rmdir(elsewhere.c_str());
		return testing::AssertionSuccess();
	}
	[[nodiscard]] testing::AssertionResult allow_paths()
	{
		return done("umount", ::umount2(at_.c_str(), MNT_DETACH)); // it may be on its way through it
	}

	/// As the kernel does it when it meets an error on the disk: files that are open can't be written to any more, either.
	[[nodiscard]] testing::AssertionResult fail_to_read_only()
	{
		std::ofstream trigger("/sys/fs/ext4/" + device_.substr(device_.rfind('/') + 1) + "/trigger_fs_error");
		return (trigger << "weir-test").flush() ? testing::AssertionSuccess()
							: testing::AssertionFailure() << "trigger_fs_error";
	}
	/// What was not brought to it is gone.
	[[nodiscard]] testing::AssertionResult lose_power()
	{
		constexpr unsigned long shutdown = _IOR('X', 125, std::uint32_t); // EXT4_IOC_SHUTDOWN
		std::uint32_t how = 2; // EXT4_GOING_FLAGS_NOLOGFLUSH
		const Fd root(::open(at_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		return done("EXT4_IOC_SHUTDOWN", ::ioctl(root.get(), shutdown, &how));
	}
	/// Whoever had files open there is gone: what is there is what was brought to it.
	[[nodiscard]] testing::AssertionResult start_again()
	{
		auto mounted = testing::AssertionFailure() << "not tried";
		// Until the last of the kernel's own references is gone, too, it is the same that failed.
		for (int tries = 0; tries < 1000 && !mounted; ++tries, ::usleep(5000)) {
			::umount2(at_.c_str(), 0);
			mounted = mount();
			if (!mounted)
				continue;
			const auto path = at_ + "/writable";
			const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
			mounted = done("writing to it again", file ? ::unlink(path.c_str()) : -1);
		}
		return mounted;
	}

private:
	static testing::AssertionResult go_apart()
	{
		const auto uid = ::geteuid();
		const auto gid = ::getegid();
		if (::unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) != 0)
			return testing::AssertionFailure()
			       << "no mount namespace can be made here: " << std::strerror(errno);
		if (uid != 0) {
			std::ofstream("/proc/self/setgroups") << "deny";
			std::ofstream("/proc/self/uid_map") << uid << ' ' << uid << " 1";
			std::ofstream("/proc/self/gid_map") << gid << ' ' << gid << " 1";
		}
		if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
			return testing::AssertionFailure() << "mounts can't be made here: " << std::strerror(errno);
		return testing::AssertionSuccess();
	}
	testing::AssertionResult make_loop(Fd image, const std::string &at, unsigned mebibytes, unsigned block)
	{
		at_ = at;
		image_ = std::move(image);
		if (!image_ || ::ftruncate(image_.get(), static_cast<off_t>(mebibytes) << 20) != 0)
			return done("making the image", -1);
		const Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
		const int number = control ? ::ioctl(control.get(), LOOP_CTL_GET_FREE) : -1;
		device_ = "/dev/loop" + std::to_string(number);
		loop_ = Fd(::open(device_.c_str(), O_RDWR | O_CLOEXEC));
		if (number < 0 || !loop_ || ::ioctl(loop_.get(), LOOP_SET_FD, image_.get()) != 0)
			return done("making a loop device", -1);
		loop_info64 info{};
		info.lo_flags = LO_FLAGS_AUTOCLEAR; // it goes with the last that has it open
		if (::ioctl(loop_.get(), LOOP_SET_STATUS64, &info) != 0)
			return done("making a loop device", -1);
		const auto format = "mkfs.ext4 -q -F -b " + std::to_string(block) +
				    " -J size=" + std::to_string(block / 1024) + " -N 256 -m 0 " + device_ + " >&2";
		if (std::system(format.c_str()) != 0)
			return testing::AssertionFailure() << "mkfs.ext4 does not work here";
		return mount();
	}
	[[nodiscard]] testing::AssertionResult mount()
	{
		return done("mounting ext4", ::mount(device_.c_str(), at_.c_str(), "ext4", 0, "errors=remount-ro"));
	}
	[[nodiscard]] testing::AssertionResult done(const char *what, int result) const
	{
		if (result == 0)
			return testing::AssertionSuccess();
		return testing::AssertionFailure() << what << " at " << at_ << ": " << std::strerror(errno);
	}
	static std::string ballast(const std::string &directory) { return directory + "/ballast"; }

	std::string at_;
	std::string below_; ///< "": the disk has what it promises
	std::string device_; ///< "": it is in memory
	Fd image_;
	Fd loop_;
};

} // namespace weir::test
