import assert from "node:assert/strict";
import { test } from "node:test";

import { ModelError, RequestError, Translator } from "seq2seq-attn";

import { DECODING, folder, reader, runtime } from "./models.mjs";

async function load(changes = {}, options = {}, asked = []) {
  return Translator.load(reader(await folder(changes)), { runtime: runtime(asked), ...options });
}

for (const beamSize of [1, 2, 5]) {
  test(`a beam of ${beamSize} finds what the model is sure of`, async () => {
    const found = await (await load()).translate("one two three", { beamSize });
    assert.equal(found.text, "three two one");
    assert.deepEqual(found.tokens, ["three", "two", "one", "</s>"]);
    assert.deepEqual(found.sourceTokens, ["one", "two", "three", "</s>"]);
    assert.deepEqual(found.attention, [
      [0, 0, 1, 0],
      [0, 1, 0, 0],
      [1, 0, 0, 0],
      [0, 0, 0, 1],
    ]);
    assert.deepEqual(found.alignment, [
      [0, 2],
      [1, 1],
      [2, 0],
    ]);
    assert.ok(Math.abs(found.logProb - 4 * Math.log(0.9)) < 1e-6);
    assert.ok(Math.abs(found.score - Math.log(0.9)) < 1e-6);
    assert.ok(found.finished && !found.truncated);
  });
}

test("alternatives are the likeliest tokens, and none when none are asked for", async () => {
  const translator = await load();
  const found = await translator.translate("one two", { alternatives: 3 });
  assert.deepEqual(found.alternatives.map((each) => each.length), [3, 3, 3]);
  assert.deepEqual(found.alternatives.map((each) => each[0].token), found.tokens);
  assert.ok(found.alternatives.every((each) => each[0].logProb > each[1].logProb && each[1].logProb >= each[2].logProb));
  const without = await translator.translate("one two", { alternatives: 0 });
  assert.deepEqual(without.alternatives, [[], [], []]);
  assert.equal(translator.toPanel(without).alternatives, null);
});

test("the translation is told as it grows", async () => {
  const partial = [];
  await (await load()).translate("one two three", { beamSize: 1, onToken: ({ text }) => void partial.push(text) });
  assert.deepEqual(partial, ["three", "three two", "three two one"]);
});

test("a prefix is kept and the rest follows", async () => {
  const found = await (await load()).translate("one two three", { prefix: [5, 5] });
  assert.deepEqual(found.tokens, ["two", "two", "one", "</s>"]);
});

test("n best are different and in order", async () => {
  const found = await (await load()).nBest("one two", 3, { beamSize: 3 });
  assert.equal(new Set(found.map(({ text, finished }) => `${text} ${finished}`)).size, 3);
  assert.equal(found[0].text, "two one");
  assert.ok(found[0].score >= found[1].score);
});

test("two calls at once do not disturb one another", async () => {
  const translator = await load();
  const texts = ["one two three", "three", "two one", "one one"];
  const found = await Promise.all(texts.map((text) => translator.translate(text)));
  assert.deepEqual(found.map(({ text }) => text), ["three two one", "three", "one two", "one one"]);
});

test("a signal ends the search", async () => {
  const translator = await load();
  const stop = new AbortController();
  const searching = translator.translate("one two three", { onToken: () => stop.abort(), signal: stop.signal });
  await assert.rejects(searching, { name: "AbortError" });
  assert.equal((await translator.translate("one")).text, "one");
});

test("a blank text gives a blank translation", async () => {
  const found = await (await load()).translate(" \u3000\n");
  assert.equal(found.text, "");
  assert.deepEqual(found.tokens, []);
});

test("a long source is cut, and says so", async () => {
  const found = await (await load()).translate("one ".repeat(100));
  assert.equal(found.sourceTokens.length, 8);
  assert.ok(found.truncated);
});

test("only what a step asks for is fed, every row at its place", async () => {
  const asked = [];
  await (await load({}, {}, asked)).translate("one two", { beamSize: 3 });
  for (const inputs of asked) {
    const rows = inputs.tokens.dims[0];
    assert.deepEqual([...inputs.sentences.data], Array(rows).fill(0n));
    assert.deepEqual(inputs.grid.dims, [1, rows]);
    assert.deepEqual([...inputs.grid.data], [...inputs.places.data]);
    assert.equal(inputs["state.0"].dims[0], rows);
    assert.equal(inputs["memory.0"].dims[0], 1);
  }
  assert.ok(asked.some((inputs) => inputs.tokens.dims[0] > 1));
});

const requests = {
  "beamSize is 0": { beamSize: 0 },
  "beamSize is 2.5": { beamSize: 2.5 },
  "maxLength is -1": { maxLength: -1 },
  "lengthPenalty is -1": { lengthPenalty: -1 },
  "lengthNormalization is": { lengthNormalization: "mean" },
  "the prefix is \\[3\\]": { prefix: [3] },
  "the prefix has the id 999, but": { prefix: [5, 999] },
  "the prefix has 4 tokens": { prefix: [4, 4, 4, 4], maxLength: 4 },
};
for (const [message, options] of Object.entries(requests)) {
  test(`a request that makes no sense is refused: ${message}`, async () => {
    await assert.rejects((await load()).translate("one", options), (error) => {
      assert.ok(error instanceof RequestError);
      assert.match(error.message, new RegExp(message));
      return true;
    });
  });
}

test("more hypotheses than the beam holds are refused", async () => {
  await assert.rejects((await load()).nBest("one", 5, { beamSize: 2 }), /nBest is 5, but a beam of 2/);
});

test("settings that do not exist here are refused unless they are to be ignored", async () => {
  const decoding = { ...DECODING, forbidden: ["two"] };
  await assert.rejects(load({ decoding }), /decoding.forbidden, which does not exist in JavaScript/);
  const translator = await load({ decoding }, { ignore: ["forbidden"] });
  assert.deepEqual(translator.missing, ["forbidden"]);
});

test("a missing, a damaged and a foreign model are named", async () => {
  const whole = await folder();
  const damaged = [
    [{ ...whole, "manifest.json": null }, /no exported model \(manifest.json is missing\)/],
    [{ ...whole, "manifest.json": new TextEncoder().encode("<!doctype html>") }, /manifest.json: damaged: not JSON/],
    [{ ...whole, "manifest.json": new TextEncoder().encode("{}") }, /not the manifest of an exported model/],
    [await folder({ format: "seq2seq_attn onnx 2" }), /has format "seq2seq_attn onnx 2", but this release knows/],
    [await folder({ memory: undefined }), /damaged: memory is missing/],
    [await folder({ vocabulary: { source: 7, target: 8 } }), /have 7 and 7 tokens, but its manifest says 7 and 8/],
    [{ ...whole, "step.onnx": null }, /step.onnx: missing/],
    [{ ...whole, "step.onnx": new TextEncoder().encode("stop") }, /step.onnx: its content does not match its checksum/],
    [{ ...whole, "step.onnx": new TextEncoder().encode("st") }, /step.onnx: its content does not match its checksum/],
  ];
  for (const [files, message] of damaged) {
    await assert.rejects(Translator.load(reader(files), { runtime: runtime() }), message);
  }
  await assert.rejects(Translator.load("http://127.0.0.1:1/model", { runtime: runtime() }), ModelError);
  await assert.rejects(Translator.load("model", { runtime: runtime() }), /not an address; give a URL/);
});
