// Goes through a session with the TypeScript client: `node typescript_client.mjs PACKAGE URL PHASE [ID]` prints JSON.
const [, , entry, url, phase, id] = process.argv;
const { AgentClient } = await import(entry);
const client = new AgentClient(url);

const phases = {
  async begin() {
    const events = [];
    const stream = client.stream({ text: "Hi" }, { sessionId: id });
    for await (const event of stream) {
      events.push(event);
      if (event.type === "prompt_delta") break;
    }
    for await (const event of client.attach(id, { after: stream.lastEventId })) events.push(event);
    return { events, session: (await client.getSession(id)).raw };
  },
  async across() {
    const events = [];
    for await (const event of client.stream({ text: "Hi", url: process.env.GATE }, { sessionId: id })) {
      events.push(event);
    }
    return { events };
  },
  async finish() {
    const listed = [];
    for await (const item of client.listSessions({ status: "paused" })) listed.push(item.id);
    const wrong = await client.resume(id, "green").catch((error) => error);
    const done = await client.resume(id, "red");
    const checkpoint = await client.getCheckpoint(id);
    const branch = await client.branch(id, 1, { result: "other" });
    const cancelled = await client.cancel(branch.id, { reason: "enough" });
    const replayed = await client.replay(id);
    const fromRecord = await client.replay(checkpoint);
    const manifest = await client.getSnapshotManifest(id);
    return {
      listed,
      wrong: [wrong.name, wrong.status],
      done: done.raw,
      records: checkpoint.callLog.length,
      branch: branch.raw,
      cancelled,
      replayed: replayed.output,
      fromRecord: fromRecord.output,
      manifest: manifest !== null,
    };
  },
};

console.log(JSON.stringify(await phases[phase]()));
