/** What runs the graphs: onnxruntime, in any of its JavaScript packages. */

import { ModelError, TranslationError } from "../errors.js";

export type TensorData = Float32Array | BigInt64Array | Uint8Array;

/** A tensor of onnxruntime, as far as it is used here. */
export interface Tensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** A graph that is ready to run. */
export interface Session {
  readonly inputNames: readonly string[];
  run(inputs: Record<string, Tensor>, outputs: readonly string[]): Promise<Readonly<Record<string, Tensor>>>;
  release(): Promise<void>;
}

/** A package of onnxruntime: the namespace of onnxruntime-web, or of onnxruntime-node. */
export interface Runtime {
  readonly Tensor: new (type: "float32" | "int64" | "bool", data: never, dims: readonly number[]) => Tensor;
  readonly InferenceSession: { create(bytes: Uint8Array, options?: object): Promise<unknown> };
}

// The shortest module that has an instruction on vectors: (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt)
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
];

/** Tell whether this browser can run models: it needs WebAssembly with SIMD. */
export function isSupported(): boolean {
  return typeof WebAssembly === "object" && WebAssembly.validate(Uint8Array.from(SIMD));
}

/** Return onnxruntime-web, which runs in browsers and in Node. */
export async function webRuntime(): Promise<Runtime> {
  if (!isSupported()) {
    throw new TranslationError(
      "this browser has no WebAssembly SIMD, which the model runs on; use Chrome or Edge 91, Firefox 89, Safari 16.4, " +
        "or anything later",
    );
  }
  const runtime = await import("onnxruntime-web/wasm");
  // Threads need a page that is isolated from others, by headers that a static server seldom sends.
  runtime.env.wasm.numThreads = 1;
  return runtime as unknown as Runtime;
}

/** Make a graph ready to run; `place` is what it is called in an error. */
export async function openSession(runtime: Runtime, place: string, bytes: Uint8Array): Promise<Session> {
  try {
    return (await runtime.InferenceSession.create(bytes, { logSeverityLevel: 3 })) as Session;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ModelError(`${place}: onnxruntime cannot open it: ${reason.split("\n")[0]}`);
  }
}
