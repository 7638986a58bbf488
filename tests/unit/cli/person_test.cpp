// SPDX-License-Identifier: Apache-2.0
#include "cli/person.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace weir::cli {
namespace {

TEST(Person, WhoLoggedInComesFirst)
{
	EXPECT_EQ(text_of({.login = 1000,
			   .login_name = "alice",
			   .sudo_name = "alice",
			   .uid = 0,
			   .name = "root",
			   .terminal = "pts/3",
			   .ssh_peer = "192.0.2.7"}),
		  "alice (login uid 1000), as root, on pts/3, by SSH from 192.0.2.7");
	EXPECT_EQ(text_of({.login = 0, .login_name = "root", .uid = 0, .name = "root", .terminal = "tty1"}),
		  "root (login uid 0), on tty1");
	EXPECT_EQ(text_of({.login = 1000, .uid = 0, .name = "root"}), "uid 1000 (login uid 1000), as root")
		<< "a user that was deleted";
}

TEST(Person, WhatSudoSaysIsSaidToBeIts)
{
	EXPECT_EQ(text_of({.login = 1000, .login_name = "alice", .sudo_name = "bob", .uid = 0, .name = "root"}),
		  "alice (login uid 1000), as root, sudo says bob");
	EXPECT_EQ(text_of({.sudo_name = "bob", .uid = 0, .name = "root"}), "bob (says sudo), as root");
}

TEST(Person, AService)
{
	EXPECT_EQ(text_of({.uid = 0, .name = "root"}), "root (uid 0, no login)");
	EXPECT_EQ(text_of({.uid = 77}), "uid 77 (uid 77, no login)");
}

TEST(Person, AVariableThatIsNoNameIsNotBelieved)
{
	::setenv("SUDO_USER", "alice, by SSH from 198.51.100.1\n", 1);
	EXPECT_EQ(this_person().sudo_name, "");
	::setenv("SUDO_USER", "alice", 1);
	EXPECT_EQ(this_person().sudo_name, "alice");
	::unsetenv("SUDO_USER");
	EXPECT_EQ(this_person().uid, ::getuid());
}

} // namespace
} // namespace weir::cli
