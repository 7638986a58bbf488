#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a terminal of LINES x COLUMNS shows after the bytes of the standard input: screen.py LINES COLUMNS"""

import sys

import pyte

screen = pyte.Screen(int(sys.argv[2]), int(sys.argv[1]))
pyte.ByteStream(screen).feed(sys.stdin.buffer.read())
sys.stdout.buffer.write("\n".join(screen.display).encode() + b"\n")
