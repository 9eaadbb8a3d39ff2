"""Planted bugs: each must be caught by the simulation within 200 seeds.

usage: mutants.py TREE [NAME…]

Goal: a test that cannot fail proves nothing: each bug here is one that a state or clock module really can have. Method:
the tree is copied, one bug at a time is planted by replacing text (which must be there exactly once), the simulation is
built and run until its first failure. One line a bug: "ok NAME caught at seed N: why" or "not ok NAME …".
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SEEDS = 200

# name → [(file, text, what stands there instead), …]
MUTANTS = {
    "offset committed before outputs": [
        ("common/service/driver.c", "        fault = driver_publish(driver);\n    }\n    outputs_clear(driver->outputs);",
         "        return FAULT_NONE;\n    }\n    outputs_clear(driver->outputs);"),
        ("common/service/driver.c", "        return FAULT_TRANSACTION_ABORTED;\n    outputs_clear(driver->outputs);\n",
         "        return FAULT_TRANSACTION_ABORTED;\n"),
        ("common/service/transaction.c", '    metric_count(driver->metrics, "transactions_total", NULL, 1);\n',
         '    if (driver_begin(driver) == FAULT_NONE)\n        (void)driver_publish(driver);\n'
         "    outputs_clear(driver->outputs);\n"),
        ("common/service/transaction.c", "    REQUIRE(!driver->transaction_open && !driver->taken);\n", ""),
    ],
    "snapshot without fence": [
        ("common/service/transaction.c", "seat->epoch, span_text(seat->stored),",
         "seat->epoch, span_text(STORE_ANYWHERE),"),
        # The digest alone would see it, too: two bugs at once, or nothing is lost.
        ("common/service/digest.c", "    const bool same = span_equal(buffer_span(&text), stored);\n",
         "    const bool same = true;\n"),
    ],
    "lateness by watermark": [
        ("services/windower/windower.c", "struct windower {\n", "struct windower {\n    int64_t watermark_ms;\n"),
        ("services/windower/windower.c", "    if (fault == FAULT_NONE)\n        fault = open_panes_find(windower->open, "
         "contract, &event, part, &pane);\n",
         "    if (fault == FAULT_NONE && event.event_time_ms > windower->watermark_ms)\n"
         "        windower->watermark_ms = event.event_time_ms;\n"
         "    if (fault == FAULT_NONE)\n        fault = open_panes_find(windower->open, contract, &event,\n"
         "            event.event_time_ms + contract->pane_ms + contract->lateness_ms < windower->watermark_ms\n"
         "            ? PART_LATE : part, &pane);\n"),
    ],
    "lost revoke": [
        ("common/service/driver.c", "        if (driver->transaction_open || driver->taken) {\n            "
         "driver_commit(driver);\n            return;\n        }\n        if (store_is_ready",
         "        if (store_is_ready"),
        ("common/service/transaction.c", "    REQUIRE(!driver->transaction_open && !driver->taken);\n", ""),
    ],
    "state from a timer": [
        ("common/service/driver.c", "    store_tick(driver->store);\n",
         "    store_tick(driver->store);\n"
         "    for (size_t i = 0; i < driver->seat_count && !driver->busy && driver->state == DRIVER_RUNNING &&\n"
         "         !driver->service->origin; i++) {\n"
         "        struct seat *seat = driver->seats[i];\n"
         "        if (driver->transaction_open && driver_is_caught_up(seat)) {\n"
         "            outputs_clear(driver->outputs);\n"
         "            if (shard_reach(seat->shard, seat->inputs[0].topic,\n"
         "                            shard_stream_time(seat->shard, seat->inputs[0].topic) + 50,\n"
         "                            driver->outputs) == FAULT_NONE)\n"
         "                (void)driver_publish(driver);\n"
         "            outputs_clear(driver->outputs);\n        }\n    }\n"),
    ],
    "batch-cut dependence": [
        ("common/service/driver.c", "driver_arrival(driver, seat, message, &record);\n",
         "driver_arrival(driver, seat, message, &record);\n"
         "    static int64_t batch_arrival_ms;\n"
         "    if (driver->taken && driver->service->origin && batch_arrival_ms > record.arrival_ms)\n"
         "        record.arrival_ms = batch_arrival_ms;\n"
         "    batch_arrival_ms = record.arrival_ms;\n"),
    ],
    "a clock that falls": [
        ("common/service/restore.c", "        seat->marks[k] = mark;\n",
         "        seat->marks[k] = mark;\n        seat->marks[k].time_ms = 0;\n"),
        ("common/service/restore.c", "        if (mark.clock_ms > seat->sent_ms)\n", "        if (mark.clock_ms < 0)\n"),
    ],
    "a clock that falls, by the broker's time": [
        ("common/service/restore.c", "        seat->marks[k] = mark;\n",
         "        const bool forgets = driver->service->origin && driver->arrival == ARRIVAL_BROKER;\n"
         "        seat->marks[k] = mark;\n        if (forgets)\n            seat->marks[k].time_ms = 0;\n"),
        ("common/service/restore.c", "        if (mark.clock_ms > seat->sent_ms)\n",
         "        if (mark.clock_ms > seat->sent_ms && !forgets)\n"),
    ],
    "arrival not lifted": [
        ("common/service/arrival.c", "        arrival_ms = seat->sent_ms; /* a clock said that nothing earlier follows */\n",
         "        return arrival_ms;\n"),
        ("common/service/arrival.c", "    return shard_lift(seat->shard, message->topic, arrival_ms);",
         "    return driver->arrival == ARRIVAL_BROKER ? arrival_ms\n"
         "               : shard_lift(seat->shard, message->topic, arrival_ms);"),
    ],
    "idle without allowance": [
        ("common/service/driver.c", "broker_ms - IDLE_ALLOWANCE_MS, driver->outputs)", "broker_ms, driver->outputs)"),
    ],
    "idle by the machine's own clock": [
        ("common/service/driver.c", "broker_ms - IDLE_ALLOWANCE_MS, driver->outputs)",
         "wall_now_ms() - IDLE_ALLOWANCE_MS, driver->outputs)"),
    ],
    "idle before the end": [
        ("common/service/driver.c", "            if (seat->at_end[k])\n", ""),
    ],
    "idle for good": [
        ("common/service/driver.c", "    seat->at_end[k] = false;\n", ""),
    ],
    "idle while nothing is taken": [
        ("common/service/driver.c", "    drained = !more;", "    drained = true;"),
    ],
    "idle after a stall": [
        ("common/service/driver.c", "    if (!stall_is_over(driver, monotonic_now_ns()))\n        return;\n", ""),
    ],
    "time asked for once": [
        ("common/service/transaction.c", "    driver->asked_time = false; /* the clock that asked may never have left */\n",
         ""),
    ],
    "time never asked for": [
        ("common/service/driver.c", "        ask_time(driver);\n", "        (void)ask_time;\n"),
    ],
    "a stale Redis copy accepted": [
        ("common/service/restore.c", "    seat->shard = shard;\n    for (size_t i = 0; i < seat->entry_count &&",
         "    seat->shard = shard;\n    for (size_t k = 0; k < seat->input_count; k++)\n"
         "        shard_set_position(shard, seat->inputs[k].topic, seat->live_from[k]);\n"
         "    for (size_t i = 0; i < seat->entry_count &&"),
    ],
    "snapshot before the commit is known": [
        ("common/service/transaction.c", "    list_offsets(driver);\n    driver->state = DRIVER_COMMITTING;",
         "    list_offsets(driver);\n    for (size_t i = 0; i < driver->seat_count; i++)\n"
         "        if (!driver->seats[i]->writing && driver_is_caught_up(driver->seats[i]))\n"
         "            write_seat(driver, driver->seats[i]);\n    driver->state = DRIVER_COMMITTING;"),
        ("common/service/transaction.c", "static void on_written(", "static void write_seat(struct driver *driver, "
         "struct seat *seat);\nstatic void on_written("),
        ("common/service/transaction.c", "void driver_commit(struct driver *driver)\n{",
         "static void write_seat(struct driver *driver, struct seat *seat);\nvoid driver_commit(struct driver *driver)\n{"),
    ],
    "aborted records read": [
        ("common/kafka/source_guarantees.c", '"read_committed"', '"read_uncommitted"'),
    ],
    "contract revision chosen downstream": [
        ("services/windower/windower.c", "    enum fault fault = event_reading_read(windower->reading, fingerprint,\n"
         "                                          enrichment->contract_revision, body, &event, &contract);",
         "    enum fault fault = event_reading_read(windower->reading, fingerprint,\n"
         "                                          enrichment->contract_revision, body, &event, &contract);\n"
         "    if (fault == FAULT_NONE)\n"
         "        fault = event_reading_read(windower->reading, fingerprint,\n"
         "            span_is(span_text(contract->model), \"m\") ? 2 : 1, body, &event, &contract);"),
    ],
    "state kept over a lost assignment": [
        ("common/service/restore.c", "    driver_drop_seats(driver);\n    driver->state = DRIVER_RESTORING;",
         "    driver->state = DRIVER_RESTORING;\n    if (driver->seat_count > 0 && driver->seats[0]->shard != NULL) {\n"
         "        assign(driver);\n        return;\n    }\n    driver_drop_seats(driver);"),
    ],
    "a duplicate forgotten at a restart": [
        ("services/validator/validator.c",
         "    return validator->seen == NULL ? INT64_MAX : seen_ids_needs(validator->seen);",
         "    (void)validator;\n    return INT64_MAX;"),
    ],
    "a replay dated by the driver": [
        ("common/service/driver.c", "    if (driver->service->origin && !live)", "    if (driver->service->endless && !live)"),
        ("services/validator/seen_ids.c",
         "    if (offset < seen->replay_end && !boundary_find(seen, offset, &number))\n        return false;\n",
         "    (void)boundary_find;\n"),
    ],
}


def copy_tree(tree, target):
    listed = subprocess.run(["git", "-C", tree, "ls-files", "-co", "--exclude-standard", "-z"], check=True,
                            capture_output=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        source = tree / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def build(copy):
    done = subprocess.run(["cmake", "--build", copy / "build", "--target", "simulation"], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout[-1500:]


def plant(copy, replacements):
    """Returns what the files were; fails where the text is not there exactly once."""
    before = {}
    for name, text, instead in replacements:
        path = copy / name
        now = path.read_text()
        before.setdefault(path, now)
        if now.count(text) != 1:
            raise SystemExit(f"not ok: in {name} the text stands {now.count(text)} times:\n{text}")
        path.write_text(now.replace(text, instead))
    return before


def hunt(copy):
    """(seed, why), or None where no seed fails."""
    done = subprocess.run([sys.executable, "-B", copy / "tests/simulation/simulate.py",
                           copy / "build" / "bin" / "simulation", "--seeds", str(SEEDS), "--until-failure"],
                          capture_output=True, text=True)
    found = re.search(r"seed (\d+) FAILED: (.*)", done.stdout)
    return (int(found[1]), found[2]) if found else None


def main():
    tree, wanted = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="plumbline-mutants.") as folder:
        copy = pathlib.Path(folder)
        copy_tree(tree, copy)
        subprocess.run(["cmake", "-S", copy, "-B", copy / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"],
                       check=True, capture_output=True)
        if why := build(copy):
            raise SystemExit(f"not ok: the copy does not build\n{why}")
        for name, replacements in MUTANTS.items():
            if wanted and name not in wanted:
                continue
            before = plant(copy, replacements)
            if why := build(copy):
                print(f"not ok {name}: it does not build\n{why}", flush=True)
                failed += 1
            else:
                found = hunt(copy)
                failed += found is None
                print(f"ok {name}: caught at seed {found[0]}: {found[1][:160]}" if found
                      else f"not ok {name}: {SEEDS} seeds did not see it", flush=True)
            for path, text in before.items():
                path.write_text(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
