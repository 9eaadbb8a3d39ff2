"""What can happen to a Redis, done to the one of a test."""
import os
import random
import shutil
import time


def kill(pipeline):
    pipeline.redis.kill()
    pipeline.redis.start()


def folder_of(pipeline):
    return pipeline.redis.folder / "appendonlydir"


def last_part(pipeline):
    return max(folder_of(pipeline).glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))


def cut(pipeline, draw):
    """Killed with the last bytes on their way to the disk. Redis 7.0 cuts an incomplete last command off, but leaves the
    transaction that it was part of open in the file, and executes it at the next start but one: half of a snapshot comes
    back, which the digest in its offset gives away."""
    pipeline.redis.kill()
    size = last_part(pipeline).stat().st_size
    os.truncate(last_part(pipeline), size - draw.randint(0, min(size, 5000)))
    pipeline.redis.start()


def roll_back(pipeline, seconds, meanwhile=time.sleep):
    """Comes back with what it held so many seconds before it died."""
    kept = pipeline.redis.folder / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder_of(pipeline), kept)
    meanwhile(seconds)
    pipeline.redis.kill()
    shutil.rmtree(folder_of(pipeline))
    kept.rename(folder_of(pipeline))
    pipeline.redis.start()


def flush(pipeline):
    pipeline.redis_command("flushall")


def forget_scripts(pipeline):
    pipeline.redis_command("script", "flush")


def hang_up(pipeline):
    pipeline.redis_command("client", "kill", "type", "normal")


def refuse_writes(pipeline):
    pipeline.redis_command("config", "set", "maxmemory", "1")


def allow_writes(pipeline):
    pipeline.redis_command("config", "set", "maxmemory", "0")


def stored(pipeline, name):
    """(key, field) of all that is stored of plumb-NAME's shards, beside who has them."""
    keys = pipeline.redis_command("keys", f"{{plumb:{name}:*}}:state").split()
    return sorted((key, field) for key in keys for field in pipeline.redis_command("hkeys", key).split()
                  if field not in (".epoch", ".owner"))


def damage(pipeline, name, draw):
    """Another value in the state of a shard of plumb-NAME, where it has any."""
    if found := stored(pipeline, name):
        pipeline.redis_command("hset", *draw.choice(found), f"damage {draw.random()}")


def anything(pipeline, draw: random.Random):
    """One of them, whole: Redis answers again at its end. Returns its name."""
    name, torment = draw.choice([("kill", kill), ("cut", lambda one: cut(one, draw)), ("flush", flush),
                                 ("roll back", lambda one: roll_back(one, draw.uniform(0.2, 2))),
                                 ("forget scripts", forget_scripts), ("hang up", hang_up)])
    torment(pipeline)
    return f"redis {name}"
