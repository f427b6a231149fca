// A model that needs no graphs: it says the source backwards, and looks at the word that it says.

const VOCABULARY = ["<pad>", "<unk>", "<s>", "</s>", "one", "two", "three"];

export const DECODING = {
  beam_size: 3,
  length_normalization: "average",
  length_penalty: 1,
  coverage_penalty: 0,
  min_length: 0,
  min_length_ratio: 0,
  max_length: null,
  max_length_ratio: 2,
  no_repeat_ngram: 0,
  repetition_penalty: 1,
  forbidden: [],
  diverse_groups: 1,
  diversity: 0.5,
  sampling: null,
  minimum_risk: null,
  replace_unknown: false,
  lexicon: null,
};

/** Return the files of an exported folder by path; `changes` are made to its manifest. */
export async function folder(changes = {}) {
  const text = (value) => new TextEncoder().encode(value);
  const tokenizer = { "tokenizer.json": '{"kind": "word", "marks": true}', "vocabulary.txt": `${VOCABULARY.join("\n")}\n` };
  const files = { "encoder.onnx": text("encoder"), "step.onnx": text("step") };
  for (const [name, content] of Object.entries(tokenizer)) files[`tokenizer/shared/${name}`] = text(content);
  const facts = {};
  for (const [path, bytes] of Object.entries(files)) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    facts[path] = { sha256: Buffer.from(digest).toString("hex"), bytes: bytes.length };
  }
  const manifest = {
    format: "seq2seq_attn onnx 1",
    name: "backwards",
    source_language: "en",
    target_language: "en",
    architecture: "rnn",
    attention: "none at all",
    checkpoint: { name: "step-1", step: 1, epoch: 1 },
    precision: "float32",
    attends: true,
    sums_to_one: true,
    parameters: 0,
    encoder: "encoder.onnx",
    step: "step.onnx",
    memory: ["memory.0"],
    state: ["state.0"],
    shared_memory: true,
    vocabulary: { source: VOCABULARY.length, target: VOCABULARY.length },
    special: { pad: 0, unk: 1, bos: 2, eos: 3 },
    max_source_tokens: 8,
    decoding: DECODING,
    opset: 17,
    files: facts,
    ...changes,
  };
  files["manifest.json"] = text(JSON.stringify(manifest));
  return files;
}

/** Return a reader of files, as `Translator.load` takes it. */
export function reader(files) {
  return async (path) => files[path] ?? null;
}

class Tensor {
  constructor(type, data, dims) {
    Object.assign(this, { type, data, dims });
  }
}

class Session {
  constructor(kind, asked) {
    this.kind = kind;
    this.asked = asked;
    this.inputNames =
      kind === "encoder"
        ? ["source", "source_lengths"]
        : ["tokens", "memory.0", "state.0", "sentences", "grid", "places"];
  }

  async run(inputs) {
    if (this.kind === "encoder") {
      const source = inputs.source;
      return { "memory.0": source, "state.0": new Tensor("int64", BigInt64Array.of(0n), [1, 1]) };
    }
    this.asked.push(inputs);
    const source = [...inputs["memory.0"].data].map(Number);
    const rows = inputs.tokens.dims[0];
    const logProbs = new Float32Array(rows * VOCABULARY.length).fill(Math.log(0.1 / (VOCABULARY.length - 1)));
    const weights = new Float32Array(rows * source.length);
    const next = new BigInt64Array(rows);
    for (let row = 0; row < rows; row++) {
      const step = Number(inputs["state.0"].data[row]);
      const place = Math.max(source.length - 2 - step, -1);
      logProbs[row * VOCABULARY.length + (place < 0 ? 3 : source[place])] = Math.log(0.9);
      weights[row * source.length + (place < 0 ? source.length - 1 : place)] = 1;
      next[row] = BigInt(step + 1);
    }
    return {
      log_probs: new Tensor("float32", logProbs, [rows, VOCABULARY.length]),
      weights: new Tensor("float32", weights, [rows, source.length]),
      "next.0": new Tensor("int64", next, [rows, 1]),
    };
  }

  async release() {
    this.released = true;
  }
}

/** Return a runtime for these files; `asked` notes what every step was given. */
export function runtime(asked = []) {
  const create = async (bytes) => new Session(new TextDecoder().decode(bytes), asked);
  return { Tensor, InferenceSession: { create } };
}
