"""Simulates a burst of password changes against the gateway's throttle, for the figures of scale.md.

Every user makes one change. The gateway accepts a fixed rate and returns 429 for the rest; the rows differ
only in how long a client waits before it retries.
"""

import heapq
import random

USERS = 10_000
ARRIVE_WITHIN = 600  # seconds, most of them early
RATE, BURST = 5, 5  # the throttle of template.yaml
RETRY_AFTER = 2  # seconds, the header's value in a 429


def every_second(_attempt, _random):
    return 1


def retry_after(_attempt, _random):
    return RETRY_AFTER


def jitter(attempt, rand):
    """Retry-After plus full jitter: a random time whose maximum doubles with each 429, up to ten minutes."""
    return RETRY_AFTER + rand.uniform(0, min(RETRY_AFTER * 2**attempt, 600))


def storm(wait):
    """Returns requests per user, the maximum in one second, and the times when half and all have changed."""
    rand = random.Random(2026)
    queue = [(rand.expovariate(3 / ARRIVE_WITHIN), user, 0) for user in range(USERS)]
    heapq.heapify(queue)
    tokens, then, requests, seconds, done = BURST, 0.0, 0, {}, []
    while queue:
        now, user, attempt = heapq.heappop(queue)
        tokens, then = min(BURST, tokens + (now - then) * RATE), now
        requests += 1
        seconds[int(now)] = seconds.get(int(now), 0) + 1
        if tokens >= 1:
            tokens -= 1
            done.append(now)
        else:
            heapq.heappush(queue, (now + wait(attempt, rand), user, attempt + 1))
    return requests / USERS, max(seconds.values()), done[USERS // 2], done[-1]


def main():
    print(f"{USERS} users within {ARRIVE_WITHIN} s, {RATE} changes a second:")
    print(f"{'after a 429, clients':<34} requests/user  most in 1 s  half done  all done")
    for name, wait in (
        ("retry every second", every_second),
        ("wait for Retry-After", retry_after),
        ("wait for Retry-After and back off", jitter),
    ):
        per_user, most, half, last = storm(wait)
        print(f"{name:<34} {per_user:13.1f} {most:12} {half / 60:8.1f} m {last / 60:7.1f} m")


if __name__ == "__main__":
    main()
