// SPDX-License-Identifier: Apache-2.0
// What a change of policy costs: compiling it, and publishing it over one that is in force.
#include "bench/world.h"
#include "compile/image.h"
#include "kernel/instance.h"

#include <benchmark/benchmark.h>

namespace weir::bench {

void register_compile()
{
	for (const unsigned rows : row_counts) {
		const auto name = "weir-" + std::to_string(rows);
		benchmark::RegisterBenchmark(("compile/" + name).c_str(),
					     [rows](benchmark::State &state) {
						     const auto policy = policy_of(rows);
						     std::size_t bytes = 0;
						     for (auto _ : state)
							     bytes = compile(policy)->lines.size() * WEIR_LINE;
						     state.counters["image_bytes"] = static_cast<double>(bytes);
					     })
			->Unit(benchmark::kMillisecond)
			->MinTime(0.1);
		benchmark::RegisterBenchmark(("publish/" + name).c_str(),
					     [name, rows](benchmark::State &state) {
						     auto &lab = World::get().lab();
						     const kernel::Where where{lab.bpffs(), name};
						     const auto policy = policy_of(rows, lab.cgroup(name));
						     for (auto _ : state) {
							     const auto applied = kernel::apply(where, policy, false);
							     if (!applied || applied->first)
								     state.SkipWithError(
									     "not a publication over the old one");
							     else
								     state.SetIterationTime(applied->publish_ms * 1e-3);
						     }
					     })
			->UseManualTime()
			->Unit(benchmark::kMillisecond)
			->Iterations(3);
	}
}

} // namespace weir::bench
