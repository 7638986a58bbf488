# SPDX-License-Identifier: Apache-2.0
"""The table of scripts/bench: medians of one run of weir-bench, ratios, and the targets beside them."""
import json
import re
import statistics
import sys

UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
PLACE = re.compile("none|(empty|weir|nftables|iptables)[-a-z0-9]*")
runs, counters, turns_of = {}, {}, {}
with open(sys.argv[1]) as file:
    document = json.load(file)
for each in document["benchmarks"]:
    if each.get("run_type") != "iteration":
        continue
    name = each["name"].split("/iterations")[0].split("/min_time")[0].split("/real_time")[0].split("/manual_time")[0]
    name = name.split("/repeats")[0]
    if each.get("error_occurred"):
        sys.exit(f"bench: {name}: {each['error_message']}")
    runs.setdefault(name, []).append(each["real_time"] * UNITS[each["time_unit"]])
    for key in filter(PLACE.fullmatch, each):
        turns_of.setdefault(name, {}).setdefault(key, []).append(each[key])
    for key in ("bytes_per_second", "items_per_second", "refused_per_second", "lost", "resident_bytes", "peak_bytes",
                "image_bytes", "verify_seconds", "grown_bytes"):
        if key in each:
            counters.setdefault((name, key), []).append(each[key])
median = {name: statistics.median(times) for name, times in runs.items()}
worst = {key: max(values) for key, values in counters.items()}
typical = {key: statistics.median(values) for key, values in counters.items()}
targets = []


def heading(text):
    print(f"\n{text}\n{'-' * len(text)}")


def target(what, value, limit, unit="", least=False):
    met = value >= limit if least else value <= limit
    targets.append((what, f"{value:.3g}{unit}", f"{'at least' if least else 'at most'} {limit:g}{unit}", met))


def turns(name):
    """Of a comparison by turns: for each place its medians, in ns, one of each repetition; none's first."""
    return turns_of.get(name, {})


def over(found, one, other):
    """The median of what repetitions say: both were measured within each of them."""
    return statistics.median(a / b for a, b in zip(found[one], found[other]))


def added(found, place):
    return statistics.median(a - b for a, b in zip(found[place], found["none"]))


def rows_of(prefix):
    return [name for name in median if name.startswith(prefix + "/")]


for place in ("loopback", "veth"):
    found = turns(f"connect/{place}")
    if not found:
        continue
    heading(f"socket + connect + close, {place}")
    for name, costs in found.items():
        print(f"  {name:18} {statistics.median(costs):9.0f} ns   {over(found, name, 'none'):6.3f} x none"
              f"   {added(found, name):+8.0f} ns")
    if added(found, "empty") > 0:
        target(f"connect, {place}: weir's added cost by the empty program's",
               added(found, "weir-1") / added(found, "empty"), 1.3, " x")
    else:
        targets.append((f"connect, {place}: weir's added cost by the empty program's",
                        "the empty program's is lost in noise", "at most 1.3 x", False))
    target(f"connect, {place}: weir by the empty program", over(found, "weir-1", "empty"), 1.3, " x")
    target(f"connect, {place}: 100,000 rows by 1 row", over(found, "weir-100000", "weir-1"), 1.15, " x")

for kind, text in (("cached", "a packet of a known flow"), ("first", "the first packet of a flow")):
    names = rows_of(f"packet/{kind}")
    if names:
        heading(f"in the program: {text}")
        for name in names:
            print(f"  {name.split('/')[-1]:18} {median[name]:9.0f} ns")
        target(f"{text}: 100,000 rows by 1 row", median[f"packet/{kind}/weir-100000"] / median[f"packet/{kind}/weir-1"],
               1.15, " x")

if rows_of("compile"):
    heading("a change of policy")
    for name in rows_of("compile"):
        what = name.split("/")[-1]
        publish = median.get(f"publish/{what}")
        print(f"  {what:18} compile {median[name] / 1e6:9.2f} ms   publish {(publish or 0) / 1e6:8.2f} ms"
              f"   image {typical[(name, 'image_bytes')] / 1024:9.0f} KiB")
if "publish/weir-100000" in median:
    target("publish of 100,000 rows", median["publish/weir-100000"] / 1e6, 100, " ms")

for kind, unit, scale in (("stream", "Gbit/s", 8), ("datagram", "k/s", 1e6)):
    found = turns(kind)
    if found:
        heading(f"{kind}, across the veth")
        for name, costs in found.items():
            print(f"  {name:18} {scale / statistics.median(costs):9.2f} {unit}   {over(found, 'none', name):6.3f} x none")
if turns("stream"):
    target("an established TCP stream by none", over(turns("stream"), "none", "weir-1"), 0.99, " x", least=True)

if rows_of("events"):
    heading("refusals while weir run writes them")
    for name in rows_of("events"):
        print(f"  {name.split('/')[-1]:>10} asked   {typical[(name, 'refused_per_second')] / 1e3:8.1f} k/s"
              f"   lost {worst[(name, 'lost')]:9.0f}   resident {worst[(name, 'peak_bytes')] / 2**20:6.1f} MiB at most")
    target("lost at 100,000 refusals a second", worst[("events/100000", "lost")], 0)
    target("resident memory of weir run", max(worst[(name, "peak_bytes")] for name in rows_of("events")) / 2**20, 16, " MiB")

if "journal/tmpfs" in median:
    name = "journal/tmpfs"
    heading("a journal of a million records, in memory")
    print(f"  written {typical[(name, 'items_per_second')] / 1e3:8.0f} k/s"
          f"   {typical[(name, 'bytes_per_second')] / 2**20:6.0f} MiB/s"
          f"   verified in {typical[(name, 'verify_seconds')]:.2f} s")
    target("records written a second", typical[(name, "items_per_second")], 300000, least=True)
    target("memory that grows meanwhile", worst[(name, "grown_bytes")] / 2**20, 1, " MiB")
    target("a million records verified", typical[(name, "verify_seconds")], 10, " s")

EDGE = (("edge/xdp", "XDP, coming in"), ("edge/in", "tc, coming in"), ("edge/out", "tc, going out"))
for name, text in EDGE:
    found = turns(name)
    if found:
        heading(f"edge, in the program: {text}")
        for what, costs in found.items():
            floor = "empty-cold" if what.endswith("-cold") else "empty"
            print(f"  {what:18} {statistics.median(costs):9.0f} ns   {over(found, what, floor):6.2f} x empty")
if turns("edge/xdp"):
    for what, text in (("weir-syn", "alike"), ("weir-syn-full", "each from another source, all tables full")):
        target(f"forged SYN, {text}, in the program: XDP by the empty one", over(turns("edge/xdp"), what, "empty"), 2,
               " x")

for name, text in (("edge/rows", "rows"), ("edge/flows", "live flows")):
    found = turns(name)
    if not found:
        continue
    heading(f"edge, in the program: by {text}")
    numbers = sorted({int(what.rsplit("-", 1)[1]) for what in found})
    print(" " * 20 + "".join(f"{number:>12,}" for number in numbers))
    for kind in dict.fromkeys(what.rsplit("-", 1)[0] for what in found):
        costs = [statistics.median(found[f"{kind}-{number}"]) for number in numbers]
        print(f"  {kind:18}" + "".join(f"{cost:9.0f} ns" for cost in costs))
        if not kind.endswith("-cold"):
            target(f"{kind}: {numbers[-1]:,} {text} by 1", over(found, f"{kind}-{numbers[-1]}", f"{kind}-1"), 1.15, " x")
    if text == "live flows":
        print("  cold: each packet of another flow. That finds fewer of them in the caches, the more there are.")

FLOODS = (("syn", "forged SYNs, each from another source"), ("syn-alike", "forged SYNs, all alike"),
          ("ack", "forged ACKs, each from another source"), ("udp", "UDP, each from another source"))
for kind, text in FLOODS:
    cost, rate = turns(f"flood/{kind}/cost"), turns(f"flood/{kind}/rate")
    if not cost:
        continue
    heading(f"flood across a veth: {text}")
    for name, costs in cost.items():
        print(f"  {name:18} {statistics.median(costs):9.0f} ns   {1e3 / statistics.median(costs):6.2f} M/s and core"
              f"   {over(cost, name, 'empty-tc' if '-tc' in name else 'empty'):6.2f} x empty"
              f"   {over(cost, 'nftables-1', name):6.2f} x nftables' rate"
              + (f"   {1e3 / statistics.median(rate[name]):6.2f} M/s got rid of" if name in rate else ""))
    if kind.startswith("syn"):
        target(f"{text}, across the veth: XDP by the empty program", over(cost, "weir-1", "empty"), 2, " x")
    target(f"{text}: weir's drop rate by nftables'", over(cost, "nftables-1", "weir-1"), 5, " x", least=True)
    if kind.startswith("syn"):
        target(f"{text}: 100,000 rows by 1 row", over(cost, "weir-100000", "weir-1"), 1.15, " x")

STREAMS = (("out", "of the host, out"), ("in", "of the host, in"), ("forwarded-out", "forwarded, out"),
           ("forwarded-in", "forwarded, in"))
for kind, text in STREAMS:
    found = turns(f"edge-stream/{kind}")
    if not found:
        continue
    heading(f"edge, an established TCP stream {text}")
    for name, costs in found.items():
        floor = "empty-tc" if name.startswith("weir-tc") else "empty"
        print(f"  {name:18} {8 / statistics.median(costs):9.2f} Gbit/s   {over(found, 'none', name):6.3f} x none"
              + (f"   {over(found, floor, name):6.3f} x {floor}" if name.startswith("weir") else ""))
    if kind.endswith("in"):
        print("  XDP on a veth takes its peer's segmentation offload away, whatever the program: see the empty one.")
    for name, floor in (("weir-1", "empty"), ("weir-tc-1", "empty-tc")):
        target(f"stream {text}: {name} by none", over(found, "none", name), 0.97, " x", least=True)
        target(f"stream {text}: {name} by {floor}", over(found, floor, name), 0.97, " x", least=True)

heading("targets")
for what, value, limit, met in targets:
    print(f"  {'met   ' if met else 'MISSED'}  {what}: {value}, {limit}")
