"""kill -9 in the middle of the log.

Goal: whatever is killed, and when, nothing is lost and nothing counted twice (DESIGN.md, promise 1).
Method: the example is sent over about half a minute; each service in turn is killed with SIGKILL at a moment drawn from
a printed seed (TESTS_SEED replays it), and started again; then all of them at once. The result is compared with
analyze's, bit for bit, and the panes with the raw log.
"""
import json
import os
import random
import time

import pane_ledger
import result_set
import stack

LOG_DAYS = 736
SECONDS = 32


def test_killing_each_service_changes_nothing(tmp_path, analyzed):
    seed = int(os.environ.get("TESTS_SEED", random.randrange(1 << 32)))
    print(f"TESTS_SEED={seed}")
    draw = random.Random(seed)
    with stack.Pipeline(tmp_path) as pipeline:
        pipeline.start(partitions=4)
        pipeline.publish_contract()
        pipeline.send_example("--speed", str(LOG_DAYS * 86_400 // SECONDS))
        for victims in [*([name] for name in stack.SERVICES), stack.SERVICES]:
            time.sleep(draw.uniform(2.5, 4.5))
            assert pipeline.sender.is_alive(), f"the log ended before {victims} could be killed"
            for name in victims:
                pipeline.services[name].kill()
            time.sleep(draw.uniform(0, 0.5))
            for name in victims:
                pipeline.services[name].launch()
        pipeline.wait_sent()
        pipeline.wait_drained()
        live = result_set.of_pipeline(pipeline)
        summary = json.loads(pipeline.summary())
        pane_ledger.check(pipeline.bootstrap)
    assert not (said := result_set.difference(live, analyzed, "live", "analyze")), said
    assert summary == {"events_in": 35_312, "validated": 35_312, "dead_lettered": 0}
