// SPDX-License-Identifier: Apache-2.0
// Finding components by unit and by container, in directories that look like a host's. No kernel is asked.
#include "kernel/components.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace weir::kernel {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string id_a(64, 'a');
const std::string id_b(64, 'b');

class Components : public testing::Test {
protected:
	void SetUp() override
	{
		std::string name = testing::TempDir() + "weir-components-XXXXXX";
		root_ = ::mkdtemp(name.data());
		roots_.cgroups = root_ / "cgroup";
		roots_.docker = {root_ / "docker"};
		roots_.podman = {root_ / "storage", root_ / "run-storage"};
		roots_.oci = {root_ / "crun", root_ / "runc"};
		roots_.owner = ::geteuid();
		fs::create_directory(roots_.cgroups);
	}
	void TearDown() override { fs::remove_all(root_); }

	std::string cgroup(const std::string &path) const
	{
		fs::create_directories(roots_.cgroups + path);
		return roots_.cgroups + path;
	}
	void write(const std::string &path, const std::string &text) const
	{
		fs::create_directories((root_ / path).parent_path());
		std::ofstream(root_ / path) << text;
	}
	void docker(const std::string &id, const std::string &name) const
	{
		write("docker/containers/" + id + "/config.v2.json",
		      R"({"ID":")" + id + R"(","Name":"/)" + name + R"(","State":{"Running":true}})");
	}
	[[nodiscard]] std::vector<std::string> find(const std::string &where) const
	{
		return cgroups_of(where, roots_);
	}

	fs::path root_;
	ComponentRoots roots_;
};

TEST_F(Components, DirectoryIsItselfOrNothing)
{
	const auto node = cgroup("/node");
	EXPECT_THAT(find(node), ElementsAre(node));
	EXPECT_THAT(find(node + "/gone"), IsEmpty());
	write("cgroup/file", "");
	EXPECT_THAT(find(roots_.cgroups + "/file"), IsEmpty());
}

TEST_F(Components, SliceIsWhereItsNameSays)
{
	const auto slice = cgroup("/fedbiomed.slice/fedbiomed-node.slice");
	cgroup("/other.slice/fedbiomed-node.slice"); // no unit of that name can be there
	EXPECT_THAT(find("unit:fedbiomed-node.slice"), ElementsAre(slice));
	EXPECT_THAT(find("unit:fedbiomed.slice"), ElementsAre(roots_.cgroups + "/fedbiomed.slice"));
	EXPECT_THAT(find("unit:fedbiomed-gui.slice"), IsEmpty());
	EXPECT_THAT(find("unit:-.slice"), ElementsAre(roots_.cgroups));
}

TEST_F(Components, ServiceIsFoundBelowSlicesOnly)
{
	const auto gui = cgroup("/fedbiomed.slice/fedbiomed-a.slice/fedbiomed-gui.service");
	cgroup("/system.slice/nested.service/fedbiomed-gui.service"); // what a service made in its own cgroup
	cgroup("/docker/" + id_a + "/system.slice/fedbiomed-gui.service"); // a container with a systemd of its own
	EXPECT_THAT(find("unit:fedbiomed-gui.service"), ElementsAre(gui));
	EXPECT_THAT(find("unit:gui.service"), IsEmpty());
	const auto again = cgroup("/system.slice/fedbiomed-gui.service");
	EXPECT_THAT(find("unit:fedbiomed-gui.service"), ElementsAre(gui, again)) << "both, sorted";
}

TEST_F(Components, ScopeAndInstanceOfATemplate)
{
	const auto scope = cgroup("/user.slice/run-1.scope");
	const auto instance = cgroup("/system.slice/system-node.slice/node@a.service");
	EXPECT_THAT(find("unit:run-1.scope"), ElementsAre(scope));
	EXPECT_THAT(find("unit:node@a.service"), ElementsAre(instance));
}

TEST_F(Components, DirectoriesOfUsersAreNotSearched)
{
	// What a user's own manager makes can have any name. As if all of it were another's:
	cgroup("/user.slice/fedbiomed-gui.service");
	roots_.owner = ::geteuid() + 1;
	EXPECT_THAT(find("unit:fedbiomed-gui.service"), IsEmpty());
	cgroup("/fedbiomed-node");
	EXPECT_THAT(find("container:fedbiomed-node"), IsEmpty());
}

TEST_F(Components, DockerByItsTwoCgroupDrivers)
{
	docker(id_a, "fedbiomed-vpn-node-default");
	docker(id_b, "fedbiomed-vpn-gui-default");
	const auto plain = cgroup("/docker/" + id_a);
	const auto scope = cgroup("/system.slice/docker-" + id_b + ".scope");
	EXPECT_THAT(find("container:fedbiomed-vpn-node-*"), ElementsAre(plain));
	EXPECT_THAT(find("container:fedbiomed-vpn-gui-default"), ElementsAre(scope));
	EXPECT_THAT(find("container:fedbiomed-vpn-*"), ElementsAre(plain, scope));
	EXPECT_THAT(find("container:fedbiomed-vpn-node"), IsEmpty()) << "all of the name has to match";
	EXPECT_THAT(find("container:fedbiomed-vpn-n?de-[d]*"), ElementsAre(plain));
}

TEST_F(Components, DockerUnderACgroupParent)
{
	docker(id_a, "node");
	const auto there = cgroup("/fedbiomed.slice/docker-" + id_a + ".scope");
	cgroup("/fedbiomed.slice/docker-" + id_b + ".scope"); // nobody knows it
	EXPECT_THAT(find("container:node"), ElementsAre(there));
	EXPECT_THAT(find("container:" + id_b), IsEmpty());
}

TEST_F(Components, StoppedContainerHasNoCgroup)
{
	docker(id_a, "node");
	EXPECT_THAT(find("container:node"), IsEmpty());
}

TEST_F(Components, PodmanByStorageAndVolatileStorage)
{
	write("storage/overlay-containers/containers.json",
	      R"([{"id":")" + id_a + R"(","names":["node","alias"]},{"id":"x"},3])");
	write("run-storage/vfs-containers/volatile-containers.json", R"([{"id":")" + id_b + R"(","names":["gui"]}])");
	const auto node = cgroup("/machine.slice/libpod-" + id_a + ".scope");
	cgroup("/machine.slice/libpod-" + id_a + ".scope/container"); // crun's own level
	cgroup("/machine.slice/libpod-conmon-" + id_a + ".scope");    // its monitor is not the container
	const auto gui = cgroup("/libpod_parent/libpod-" + id_b);
	EXPECT_THAT(find("container:node"), ElementsAre(node));
	EXPECT_THAT(find("container:alias"), ElementsAre(node));
	EXPECT_THAT(find("container:g*"), ElementsAre(gui));
}

TEST_F(Components, PodmanInsideOfItsUnit)
{
	write("storage/overlay-containers/containers.json", R"([{"id":")" + id_a + R"(","names":["node"]}])");
	const auto node = cgroup("/system.slice/node.service/libpod-payload-" + id_a);
	EXPECT_THAT(find("container:node"), ElementsAre(node));
}

TEST_F(Components, IdOfCrunAndRuncIsTheName)
{
	const auto plain = cgroup("/fedbiomed-node");
	const auto scope = cgroup("/system.slice/crun-fedbiomed-gui.scope");
	cgroup("/system.slice/fedbiomed-node.service"); // a unit is no container
	EXPECT_THAT(find("container:fedbiomed-node"), ElementsAre(plain));
	EXPECT_THAT(find("container:fedbiomed-*"), ElementsAre(plain, scope));
}

TEST_F(Components, CgroupThatRuncAndCrunSayInTheirState)
{
	const auto a = cgroup("/lab/one");
	const auto b = cgroup("/lab/two");
	write("runc/node-a/state.json",
	      R"({"id":"node-a","cgroup_paths":{"":")" + a + R"(","pids":"/sys/fs/cgroup/pids/lab/one"}})");
	write("crun/node-b/status", R"({"pid":1,"cgroup-path":"/lab/two"})");
	write("runc/node-c/state.json", R"({"cgroup_paths":{"":")" + roots_.cgroups + R"(/lab/gone"}})");
	write("runc/node-d/state.json", R"({"cgroup_paths":{"":"/etc"}})");
	write("runc/node-e/state.json", R"({"cgroup_pa)"); // it is being written
	EXPECT_THAT(find("container:node-a"), ElementsAre(a));
	EXPECT_THAT(find("container:node-*"), ElementsAre(a, b));
}

TEST_F(Components, SameCgroupByTwoWaysIsOne)
{
	const auto node = cgroup("/node");
	write("runc/node/state.json", R"({"cgroup_paths":{"":")" + node + R"("}})");
	EXPECT_THAT(find("container:node"), ElementsAre(node));
}

TEST_F(Components, InsideOfAContainerNothingIsAnother)
{
	docker(id_a, "outer");
	cgroup("/docker/" + id_a + "/fedbiomed-node"); // whoever is root in it can make that
	EXPECT_THAT(find("container:fedbiomed-node"), IsEmpty());
	const auto outer = cgroup("/outer-1");
	cgroup("/outer-1/outer-2");
	EXPECT_THAT(find("container:outer-*"), ElementsAre(outer));
}

TEST_F(Components, BrokenStateOfDockerIsNoName)
{
	cgroup("/docker/" + id_a);
	for (const char *text : {"", "{", "[]", R"({"Name":7})", R"({"Name":"/"})"}) {
		write("docker/containers/" + id_a + "/config.v2.json", text);
		EXPECT_THAT(find("container:*"), ElementsAre(roots_.cgroups + "/docker")) << text;
	}
}

TEST_F(Components, AbsenceSaysWhatIsNotThere)
{
	EXPECT_EQ(absence_of("container:node-*"), "no container that runs is called node-*");
	EXPECT_EQ(absence_of("unit:gui.service"), "unit gui.service is not running: it has no cgroup");
	EXPECT_EQ(absence_of("/sys/fs/cgroup/x"), "cgroup /sys/fs/cgroup/x is not there");
}

} // namespace
} // namespace weir::kernel
