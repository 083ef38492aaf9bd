import assert from "node:assert/strict";
import test from "node:test";

import { frames } from "../../chidori_actors/console/static/js/event_frames.js";

const TEXT = 'id: 1\nevent: call\ndata: {"a":"ü😀"}\n\n: still here\n\nid: 2\nevent: done\ndata: {"a":1,\ndata: "b":2}\n\nid: 3\nevent: cut\nda';

/** @param {number} size of the parts that the body comes in */
async function read(size) {
  const bytes = new TextEncoder().encode(TEXT);
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
  return collected(frames(body));
}

async function collected(items) {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
}

test("events are the same however the body is cut", async () => {
  for (const size of [1, 2, 3, 7, 1000]) {
    assert.deepEqual(await read(size), [
      { id: "1", event: "call", data: '{"a":"ü😀"}' },
      { id: "2", event: "done", data: '{"a":1,\n"b":2}' },
    ]);
  }
});

test("who stops reading closes the body", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("id: 1\nevent: call\ndata: 1\n\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const frame of frames(body)) {
    assert.equal(frame.id, "1");
    break;
  }
  assert.equal(cancelled, true);
});
