"""A run that its provider ended is continued once the provider is well, without paying again for what it had."""

from pathlib import Path

import pytest

from chidori_actors.journal.runs import get_run
from tests.support.agents import bundle_of, failure_of, output_of, records_of, runtime_in, start, within, write_agent
from tests.support.openai_server import OpenAIServer, Scripted

AGENT = """export async function agent(input: any, chidori: any) {
  const post = (body: string) => chidori.http(input.count, { method: "POST", body });
  await post("first");
  const opening = await chidori.prompt("opening");
  const both = await Promise.all([chidori.prompt("middle [delay=300]"), post("second")]);
  await post("third");
  return [opening, both[0], await chidori.prompt("closing")];
}"""
TROUBLE = {
    "401": [Scripted(status=401, message="the key is not known")],
    "500 three times": [Scripted(status=500, retry_after="0")] * 3,
}


@pytest.mark.parametrize("trouble", TROUBLE)
async def test_a_run_ended_by_its_provider_is_continued_where_it_was(tmp_path: Path, trouble: str) -> None:
    path = write_agent(tmp_path, AGENT)
    script = TROUBLE[trouble]
    async with OpenAIServer(deterministic=True) as server:
        environ = {
            "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1",
            "LITELLM_API_URL": server.url,
            "LITELLM_API_KEY": "sk-test",
            "CHIDORI_MODEL": "gpt-4o-mini",
        }
        # The first prompt is answered well, the second one is not.
        server.script.extend([Scripted(), *script])
        async with runtime_in(tmp_path, environ) as runtime:
            result = await within(60, start(runtime, path, {"count": f"{server.root}/count"}))
            assert script[0].message in failure_of(result).error["message"]
            assert server.prompts == {"opening": 1, "middle [delay=300]": len(script)}
            counted = server.counted_bodies.copy()
        async with runtime_in(tmp_path, environ) as runtime:
            resumed = await within(60, runtime.resume("test-run", current=bundle_of(path)))
            opening, middle, closing = output_of(resumed)
            assert opening.startswith("answer(opening)")
            assert middle.startswith("answer(middle")
            assert closing.startswith("answer(closing)")
            assert get_run(runtime.store, "test-run").status == "completed"
            assert output_of(await runtime.replay("test-run")) == output_of(resumed)
            assert all("error" not in record for record in records_of(runtime.store))
        assert server.prompts == {"opening": 1, "middle [delay=300]": len(script) + 1, "closing": 1}
        assert counted == {"first": 1, "second": 1}
        assert server.counted_bodies == {"first": 1, "second": 1, "third": 1}
