import assert from "node:assert/strict";
import { test } from "node:test";
import { WindowLoader } from "../../chidori_actors/console/static/js/timeline/loader.js";

const at = (first, from = 0) => ({ first, count: 10, from, to: from + 100, width: 100 });
const turn = () => new Promise((resolve) => setImmediate(resolve));

function loader() {
  const asked = [];
  const got = [];
  const faults = [];
  const get = (window, signal) =>
    new Promise((resolve, reject) => {
      asked.push({ window, signal, resolve, reject });
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  const made = new WindowLoader(get, (window, answer, background) => got.push([window.first, answer, background]), (fault) => faults.push(fault.message));
  return { made, asked, got, faults };
}

test("one request is under way, and of what was wished meanwhile only the newest follows", async () => {
  const { made, asked, got } = loader();
  for (const first of [0, 2, 4, 6]) made.want(at(first));
  assert.equal(asked.length, 1);
  asked[0].resolve("a");
  await turn();
  assert.deepEqual(asked.map(({ window }) => window.first), [0, 6]);
  asked[1].resolve("b");
  await turn();
  assert.deepEqual(got, [[0, "a", false], [6, "b", false]]);
});

test("a request that shows nothing of what is wished is given up", async () => {
  const { made, asked, got, faults } = loader();
  made.want(at(0));
  made.want(at(300));
  assert.ok(asked[0].signal.aborted);
  await turn();
  asked[1].resolve("b");
  await turn();
  assert.deepEqual(got, [[300, "b", false]]);
  assert.deepEqual(faults, []);
});

test("the overview waits until nothing visible is missing, and goes on after it", async () => {
  const { made, asked, got } = loader();
  made.later([at(0), at(200)]);
  made.want(at(50));
  await turn();
  assert.deepEqual(asked.map(({ window }) => window.first), [0, 50]);
  assert.ok(asked[0].signal.aborted);
  asked[1].resolve("visible");
  await turn();
  asked[2].resolve("first");
  await turn();
  asked[3].resolve("second");
  await turn();
  assert.deepEqual(got, [[50, "visible", false], [0, "first", true], [200, "second", true]]);
});

test("a fault is told, and the next wish is asked for all the same", async () => {
  const { made, asked, got, faults } = loader();
  made.want(at(0));
  asked[0].reject(new Error("offline"));
  await turn();
  assert.deepEqual(faults, ["offline"]);
  made.want(at(0));
  asked[1].resolve("again");
  await turn();
  assert.deepEqual(got, [[0, "again", false]]);
});

test("after it is closed nothing is asked for and nothing told", async () => {
  const { made, asked, got, faults } = loader();
  made.want(at(0));
  made.close();
  await turn();
  made.want(at(5));
  made.later([at(9)]);
  await turn();
  assert.deepEqual([asked.length, got, faults], [1, [], []]);
});
