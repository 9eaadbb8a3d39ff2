"""What fastavro (its C extension) makes of the records of bench_decode: the job decode-python.

usage: decode_python.py BENCH_DECODE COUNT      prints the job's line
"""
import io
import json
import resource
import subprocess
import sys
import time

import fastavro


def main():
    program, count = sys.argv[1], int(sys.argv[2])
    schema, _, records = subprocess.run([program, "records"], check=True, capture_output=True).stdout.partition(b"\n")
    parsed = fastavro.parse_schema(json.loads(schema))
    size = 269
    distinct = [records[at:at + size] for at in range(0, len(records), size)]
    began = time.monotonic()
    for number in range(count):
        fastavro.schemaless_reader(io.BytesIO(distinct[number % len(distinct)]), parsed, None)
    seconds = time.monotonic() - began
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime
    print(f"decode-python {count} {seconds:.3f} {count / seconds:.0f} {cpu:.3f} {count / cpu:.0f} "
          f"{usage.ru_maxrss / 1024:.1f}")


if __name__ == "__main__":
    main()
