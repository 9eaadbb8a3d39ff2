"""Several instances of each service share the work, and come and go.

Goal: two instances of each, partitions moving between them by a clean stop, a kill -9 and a newcomer, give the same records as one.
Method: the example is sent slowly meanwhile; the result is compared with analyze's, the panes with the raw log.
"""
import time

import pane_ledger
import result_set
import stack

LOG_DAYS = 736
SECONDS = 40


def test_instances_that_come_and_go_change_nothing(tmp_path, analyzed):
    with stack.Pipeline(tmp_path) as pipeline:
        second = {}
        for name in list(pipeline.services):
            folder = tmp_path / "second"
            folder.mkdir(exist_ok=True)
            second[name] = stack.Service(name, pipeline.bootstrap, pipeline.redis_url, folder, "--instance", "second")
        pipeline.start(partitions=4)
        for service in second.values():
            service.launch()
        for service in second.values():
            stack.wait_until(f"{service.name} ready\n{service.tail()}", 30, service.is_ready)
        pipeline.publish_contract()
        pipeline.send_example("--speed", str(LOG_DAYS * 86_400 // SECONDS))
        time.sleep(6)
        for service in pipeline.services.values():   # the first ones go, in good order
            assert service.stop() == 0
        time.sleep(4)
        pipeline.launch_services()                   # and come back
        time.sleep(8)
        for service in second.values():              # the second ones are killed for good
            service.kill()
        pipeline.wait_sent()
        pipeline.wait_drained()
        live = result_set.of_pipeline(pipeline)
        pane_ledger.check(pipeline.bootstrap)
    assert not (said := result_set.difference(live, analyzed, "live", "analyze")), said
