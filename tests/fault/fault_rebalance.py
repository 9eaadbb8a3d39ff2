"""Instances come and go faster than work can be handed over.

Goal: whenever partitions move, and however often, nothing is lost and nothing counted twice.
Method: two instances of each service share the work; a third joins them and leaves again every second, by SIGTERM or by
SIGKILL as a seed says; in the end the two are enough.
"""
import os
import time

SECONDS = 60 if os.environ.get("TESTS_LONG") == "yes" else 5


def test_instances_that_come_and_go_each_second_change_nothing(pipeline, log, draw):
    pipeline.launch_services()
    seconds = [pipeline.another(name, "second") for name in pipeline.services]
    thirds = [pipeline.another(name, "third") for name in pipeline.services]
    for service in seconds:
        service.launch()
    pipeline.wait_ready()
    turns, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        for third in thirds:
            if not third.is_alive():
                third.launch()
            elif draw.random() < 0.5:
                third.kill()
            else:
                assert third.stop() == 0, third.tail()
            log.flow_for(1 / len(thirds))
        turns += 1
    for third in thirds:
        third.stop()
    log.wait_until("the two are enough", 30,
                   lambda: all(service.is_ready() for service in [*pipeline.services.values(), *seconds]))
    log.settle()
    assert turns >= SECONDS // 4, "too slow to be a storm"
