from pathlib import Path

import orjson

from chidori_actors.journal.events import Told, newest_events, read_events
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.session.event_log import EventLog

LANE = 256


async def test_a_prompt_is_ended_as_interrupted_however_long_ago_it_began(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "store")
    try:
        fence = (await Lease.acquire(store, "run-1", "test")).fence
        log = EventLog(store, fence, LANE, 0, 0, lambda number, event, data: None)
        for stream in ("ended", "long", "begun"):
            log.prompt_start(stream, 1, "draft", "m")
        for number in range(5):
            await store.commit(log.calls_ended(LANE, [(number, number)]))
            for stream in ("ended", "long"):
                log.prompt_delta(stream, 1, "draft", "text")
                log._flush(stream)
        log.prompt_end("ended", 1, "draft", None)
        await store.flush()
        # Too few to reach back to where the prompts began.
        log.end_interrupted(newest_events(store, LANE, 4))
        await store.flush()
        ends = [
            orjson.loads(event.data)
            for _, event in read_events(store, LANE)
            if isinstance(event, Told) and event.event == "prompt_end"
        ]
        assert [(end["stream_id"], end["error"]) for end in ends] == [("ended", None), ("long", "interrupted")]
        log.end_interrupted(newest_events(store, LANE, 1000))
        await store.flush()
        [*_, (_, last)] = read_events(store, LANE)
        assert isinstance(last, Told)
        assert orjson.loads(last.data)["stream_id"] == "begun"
    finally:
        store.close()
