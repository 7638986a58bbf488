// SPDX-License-Identifier: Apache-2.0
#include "audit/enrich.h"
#include "sample.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>

namespace weir::audit {
namespace {

std::uint64_t boot_clock()
{
	timespec now{};
	::clock_gettime(CLOCK_BOOTTIME, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

/// An event of this very process, now.
weir_event own_event()
{
	auto event = refused_connect();
	event.time = boot_clock();
	event.pid = static_cast<std::uint32_t>(::getpid());
	event.uid = ::getuid();
	event.cgroup = 0;
	return event;
}

TEST(Enricher, ThisProcess)
{
	Enricher enricher;
	auto event = own_event();
	event.ifindex = 1;
	const auto &more = enricher.enrich(event);
	EXPECT_EQ(more.executable, std::filesystem::read_symlink("/proc/self/exe"));
	EXPECT_EQ(more.interface, "lo");
	if (const auto *entry = ::getpwuid(::getuid()); entry != nullptr) {
		EXPECT_EQ(more.user, entry->pw_name);
	}
}

TEST(Enricher, EventOlderThanTheProcessIsAnothersByTheSamePid)
{
	Enricher enricher;
	auto event = own_event();
	EXPECT_NE(enricher.enrich(event).executable, "");
	event.time = 1; // just after boot
	EXPECT_EQ(enricher.enrich(event).executable, "");
	event.time = boot_clock();
	EXPECT_NE(enricher.enrich(event).executable, "") << "the cache must not keep the wrong answer";
}

TEST(Enricher, ProcessThatIsGone)
{
	const auto child = ::fork();
	ASSERT_GE(child, 0);
	if (child == 0)
		::_exit(0);
	::waitpid(child, nullptr, 0);
	Enricher enricher;
	auto event = own_event();
	event.pid = static_cast<std::uint32_t>(child);
	EXPECT_EQ(enricher.enrich(event).executable, "");
}

TEST(Enricher, WithoutAnOwnerNobodyIsNamed)
{
	Enricher enricher;
	auto event = own_event();
	event.pid = event.uid = event.gid = 0;
	set_comm(event, "");
	event.ifindex = 2; // of which network namespace?
	const auto &more = enricher.enrich(event);
	EXPECT_EQ(more.user, "");
	EXPECT_EQ(more.executable, "");
	EXPECT_EQ(more.interface, "");
}

TEST(Enricher, InterfaceOfTheEdgeIsNamedWhereTheEdgeIs)
{
	const auto *all = ::if_nameindex();
	const auto *other = all;
	while (other->if_index == 1)
		other++;
	if (other->if_index == 0)
		GTEST_SKIP() << "there is no interface but the loopback";
	Enricher enricher;
	weir_event event{};
	event.ifindex = other->if_index;
	event.gate = WEIR_GATE_EDGE;
	EXPECT_EQ(enricher.enrich(event).interface, "") << "of which network namespace?";
	enricher.edge_is_here(true);
	EXPECT_EQ(enricher.enrich(event).interface, other->if_name);
	event.gate = WEIR_GATE_PACKET;
	EXPECT_EQ(enricher.enrich(event).interface, "") << "of which network namespace?";
	::if_freenameindex(const_cast<struct if_nameindex *>(all));
}

TEST(Enricher, ManyUsersStayBounded)
{
	Enricher enricher;
	auto event = own_event();
	for (std::uint32_t uid = 3'000'000; uid < 3'001'000; uid++) {
		event.uid = uid;
		EXPECT_EQ(enricher.enrich(event).user, "");
	}
}

TEST(Enricher, CgroupByItsId)
{
	std::string mount, device, where, type, line;
	std::ifstream mounts("/proc/self/mounts");
	while (mounts >> device >> where >> type && std::getline(mounts, line))
		if (type == "cgroup2" && mount.empty())
			mount = where;
	if (mount.empty())
		GTEST_SKIP() << "no cgroup2 is mounted";
	struct stat status{};
	Enricher enricher;
	auto event = own_event();

	ASSERT_EQ(::stat(mount.c_str(), &status), 0);
	event.cgroup = status.st_ino;
	EXPECT_EQ(enricher.enrich(event).cgroup, "/");
	for (const auto &entry : std::filesystem::directory_iterator(mount)) {
		if (!entry.is_directory())
			continue;
		ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
		event.cgroup = status.st_ino;
		EXPECT_EQ(enricher.enrich(event).cgroup, "/" + entry.path().filename().string());
		break;
	}
	event.cgroup = ~0ull >> 8;
	EXPECT_EQ(enricher.enrich(event).cgroup, "");
}

} // namespace
} // namespace weir::audit
