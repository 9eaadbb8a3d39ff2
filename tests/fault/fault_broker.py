"""The broker dies in the middle of transactions.

Goal: a broker that is killed or stopped, and comes back with its data, costs time and nothing else.
Method: while the log flows each service has a transaction open most of the time; the broker is killed (SIGKILL),
stopped in good order and (with --long) killed again while it is starting, at moments drawn from a seed.
"""
import os
import time

LONG = os.environ.get("TESTS_LONG") == "yes"


def test_a_broker_that_comes_and_goes_changes_nothing(pipeline, log, draw):
    log.piece_seconds = 100     # one sender, which waits for the broker as the services do
    pipeline.launch_services()
    pipeline.wait_ready()
    ends = [pipeline.kafka.kill, lambda: pipeline.kafka.stop(30)]
    draw.shuffle(ends)
    for place, end in enumerate(ends * (3 if LONG else 1)):
        log.flow_for(draw.uniform(1, 2))
        end()
        time.sleep(draw.uniform(0, 1))
        if place >= 2:
            pipeline.kafka.launch()          # and dies once more on its way up
            time.sleep(draw.uniform(0.5, 2))
            pipeline.kafka.kill()
        pipeline.kafka.start()
        log.wait_until("ready again", 60, lambda: all(service.is_ready() for service in pipeline.services.values()))
    log.settle()
    for service in pipeline.services.values():
        assert "event=unreachable what=Kafka" in service.text(), service.tail()
