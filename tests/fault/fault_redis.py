"""Redis dies, forgets, refuses, and lies.

Goal: Redis is a cache: whatever happens to it, the result is the same (DESIGN.md, promise 1). (How soon services are
back at the end of their inputs after it lost a second, is measured under load by fault_chaos.py.)
Method: one torment after the other while a log flows (redis_torment.py); refusals; then a damaged entry or offset in
some shard of every service, which the log must name.
"""
import redis_torment


def all_waiting(pipeline):
    return all(service.is_waiting() for service in pipeline.services.values())


def all_ready(pipeline):
    return all(service.is_ready() for service in pipeline.services.values())


def test_whatever_happens_to_redis_changes_nothing(pipeline, log, draw):
    pipeline.launch_services()
    pipeline.wait_ready()
    log.flow_for(2)

    def then(torment, *arguments):
        torment(pipeline, *arguments)
        log.wait_until(f"ready after {torment.__name__}", 30, lambda: all_ready(pipeline))
        log.flow_for(draw.uniform(0.3, 1.2))

    torments = [(redis_torment.kill,), (redis_torment.cut, draw), (redis_torment.cut, draw), (redis_torment.flush,),
                (redis_torment.roll_back, 2, log.flow_for), (redis_torment.forget_scripts,), (redis_torment.hang_up,)]
    draw.shuffle(torments)
    for torment in torments:
        then(*torment)

    redis_torment.refuse_writes(pipeline)
    log.wait_until("all services say that Redis refuses writes", 15, lambda: all_waiting(pipeline))
    log.wait_until("the log has Redis's own words", 5,
                   lambda: all("OOM" in service.text() for service in pipeline.services.values()))
    redis_torment.allow_writes(pipeline)
    log.wait_until("ready once it does no more", 30, lambda: all_ready(pipeline))

    short_names = [name.removeprefix("plumb-") for name in pipeline.services]
    log.wait_until("each has state in Redis", 20,
                   lambda: all(redis_torment.stored(pipeline, name) for name in short_names))
    for service in pipeline.services.values():
        service.kill()
    for name in short_names:
        redis_torment.damage(pipeline, name, draw)
    pipeline.launch_services()
    log.wait_until("ready", 30, lambda: all_ready(pipeline))
    for service in pipeline.services.values():
        assert "event=state_damaged" in service.text(), service.tail()
    log.settle()
