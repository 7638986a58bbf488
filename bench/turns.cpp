// SPDX-License-Identifier: Apache-2.0
#include "bench/turns.h"

#include "bench/world.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>

namespace weir::bench {
namespace {

double median(std::vector<double> values)
{
	const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
	std::ranges::nth_element(values, middle);
	return *middle;
}

/// A worker, until it is killed: at each message one turn.
test::Child worker_at(const test::Spot &spot, const std::function<Turn()> &prepare)
{
	return {spot, [&prepare](test::Channel &channel) {
			const Turn turn = prepare();
			turn(); // the first is for the caches
			while (channel.receive(test::Millis(60'000)))
				channel.send(std::to_string(turn()));
		}};
}

double ask(const test::Child &worker)
{
	const std::string answer = worker.ask("go", test::Millis(20'000));
	double cost = 0;
	if (std::from_chars(answer.data(), answer.data() + answer.size(), cost).ec != std::errc{})
		throw std::runtime_error(answer);
	return cost;
}

void compare(benchmark::State &state, const Turns &turns)
{
	std::vector<std::vector<double>> costs(turns.size());
	std::size_t round = 0;
	for (auto _ : state) {
		// Nobody is always the first of a round.
		for (std::size_t i = 0; i < turns.size(); ++i) {
			const std::size_t who = (i + round) % turns.size();
			try {
				costs[who].push_back(turns[who].second());
			} catch (const std::exception &problem) {
				throw std::runtime_error(turns[who].first + ": " + problem.what());
			}
		}
		++round;
	}
	for (std::size_t i = 0; i < turns.size(); ++i)
		state.counters[turns[i].first] = median(costs[i]);
}

} // namespace

void register_turns(const std::string &name, std::function<Turns()> prepare, unsigned rounds)
{
	benchmark::RegisterBenchmark(name.c_str(),
				     [prepare = std::move(prepare)](benchmark::State &state) {
					     try {
						     compare(state, prepare());
					     } catch (const std::exception &problem) {
						     state.SkipWithError(problem.what());
					     }
				     })
		->UseRealTime()
		->Iterations(rounds);
}

void register_turns(const std::string &name, const std::vector<std::string> &places,
		    std::function<test::Spot(const std::string &)> spot,
		    std::function<Turn(const std::string &)> prepare, unsigned rounds)
{
	register_turns(
		name,
		[places, spot = std::move(spot), prepare = std::move(prepare)] {
			Turns turns;
			for (const auto &place : places) {
				auto worker = std::make_shared<test::Child>(
					worker_at(spot(place), [&] { return prepare(place); }));
				turns.emplace_back(place, [worker] { return ask(*worker); });
			}
			return turns;
		},
		rounds);
}

void register_turns(const std::string &name, const std::vector<std::string> &places, std::function<Turn()> prepare,
		    unsigned rounds)
{
	register_turns(
		name, places, [](const std::string &place) { return World::get().spot(place); },
		[prepare = std::move(prepare)](const std::string &) { return prepare(); }, rounds);
}

std::vector<std::string> all_places()
{
	std::vector<std::string> all{"none", "empty"};
	for (const unsigned rows : row_counts)
		all.push_back("weir-" + std::to_string(rows));
	all.emplace_back("nftables-1");
	all.emplace_back("nftables-100000");
	return all;
}

std::vector<std::string> main_places()
{
	return {"none", "empty", "weir-1", "weir-100000", "nftables-1"};
}

double now_ns()
{
	using namespace std::chrono;
	return static_cast<double>(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

} // namespace weir::bench
