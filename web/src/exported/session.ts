/** An exported model behind the interface that search knows. */

import type { Step, StepModel } from "../decoding/protocol.js";
import { ModelError } from "../errors.js";
import type { ModelFolder } from "./folder.js";
import type { Manifest } from "./manifest.js";
import { openSession, type Runtime, type Session, type Tensor } from "./runtime.js";
import { integers, selectRows } from "./tensors.js";

/** What search carries: the source, read once, and where the decoder stands. */
export interface OnnxState {
  /** One entry for the sentence where rows share it, one per row where not. */
  readonly memory: readonly Tensor[];
  readonly state: readonly Tensor[];
}

/** The graphs of an exported folder; a source is its token ids, the end-of-sentence token included. */
export class OnnxModel implements StepModel<readonly number[], OnnxState> {
  readonly #runtime: Runtime;
  readonly #manifest: Manifest;
  readonly #encoder: Session;
  readonly #step: Session;
  readonly #next: readonly string[];
  #last: Promise<unknown> = Promise.resolve();

  private constructor(runtime: Runtime, manifest: Manifest, encoder: Session, step: Session) {
    this.#runtime = runtime;
    this.#manifest = manifest;
    this.#encoder = encoder;
    this.#step = step;
    this.#next = manifest.state.map((name) => `next.${name.slice(name.indexOf(".") + 1)}`);
  }

  static async open(folder: ModelFolder, runtime: Runtime): Promise<OnnxModel> {
    const { manifest } = folder;
    const [encoder, step] = await Promise.all([folder.read(manifest.encoder), folder.read(manifest.step)]);
    // one after the other: the first makes the runtime start
    const opened = await openSession(runtime, manifest.encoder, encoder);
    return new OnnxModel(runtime, manifest, opened, await openSession(runtime, manifest.step, step));
  }

  async start(source: readonly number[]): Promise<OnnxState> {
    const { memory, state } = this.#manifest;
    const inputs = {
      source: integers(this.#runtime, source, [1, source.length]),
      source_lengths: integers(this.#runtime, [source.length], [1]),
    };
    const found = await this.#run(this.#encoder, inputs, [...memory, ...state]);
    return { memory: memory.map((name) => found[name]!), state: state.map((name) => found[name]!) };
  }

  async step(tokens: readonly number[], { memory, state }: OnnxState): Promise<Step<OnnxState>> {
    const runtime = this.#runtime;
    const rows = tokens.length;
    const numbers = [...tokens.keys()];
    const inputs: Record<string, Tensor> = { tokens: integers(runtime, tokens, [rows]) };
    for (const [place, name] of this.#manifest.memory.entries()) inputs[name] = memory[place]!;
    for (const [place, name] of this.#manifest.state.entries()) inputs[name] = state[place]!;
    if (this.#manifest.shared_memory) {
      // every row looks at the one sentence there is, and stands at the place of its number
      inputs["sentences"] = integers(runtime, numbers.map(() => 0), [rows]);
      inputs["grid"] = integers(runtime, numbers, [1, rows]);
      inputs["places"] = integers(runtime, numbers, [rows]);
    }
    const found = await this.#run(this.#step, inputs, ["log_probs", "weights", ...this.#next]);
    return {
      logProbs: { values: found["log_probs"]!.data as Float32Array, columns: found["log_probs"]!.dims[1]! },
      weights: { values: found["weights"]!.data as Float32Array, columns: found["weights"]!.dims[1]! },
      state: { memory, state: this.#next.map((name) => found[name]!) },
    };
  }

  select({ memory, state }: OnnxState, rows: readonly number[]): OnnxState {
    const chosen = (tensor: Tensor): Tensor => selectRows(this.#runtime, tensor, rows);
    return { memory: this.#manifest.shared_memory ? memory : memory.map(chosen), state: state.map(chosen) };
  }

  /** Give back the memory of the runtime; the model cannot be used any more. */
  async release(): Promise<void> {
    await this.#last;
    await Promise.all([this.#encoder.release(), this.#step.release()]);
  }

  /** Run a graph once what runs already is done: sessions are not made for two calls at once. */
  async #run(
    session: Session,
    inputs: Readonly<Record<string, Tensor>>,
    outputs: readonly string[],
  ): Promise<Readonly<Record<string, Tensor>>> {
    const fed = Object.fromEntries(session.inputNames.map((name) => [name, inputs[name]!]));
    const missing = session.inputNames.find((name) => !inputs[name]);
    if (missing) throw new ModelError(`the graph asks for ${missing}, which the manifest does not know; export the run again`);
    const result = this.#last.then(() => session.run(fed, outputs));
    this.#last = result.catch(() => undefined);
    return result;
  }
}
