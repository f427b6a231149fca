/** Tensors by rows. */

import type { Runtime, Tensor } from "./runtime.js";

type Data = Float32Array | BigInt64Array | Uint8Array;

/** Make a tensor of whole numbers. */
export function integers(runtime: Runtime, numbers: readonly number[], dims: readonly number[]): Tensor {
  return new runtime.Tensor("int64", BigInt64Array.from(numbers, BigInt) as never, dims);
}

/** Return these rows (entries of the first axis) of a tensor of any type. */
export function selectRows(runtime: Runtime, tensor: Tensor, rows: readonly number[]): Tensor {
  const [first = 1, ...rest] = tensor.dims;
  if (rows.length === first && rows.every((row, place) => row === place)) return tensor;
  const width = rest.reduce((product, size) => product * size, 1);
  const data = tensor.data as Data;
  const chosen = new (data.constructor as new (size: number) => Data)(rows.length * width);
  for (const [place, row] of rows.entries()) {
    chosen.set(data.subarray(row * width, (row + 1) * width) as never, place * width);
  }
  return new runtime.Tensor(tensor.type as "float32", chosen as never, [rows.length, ...rest]);
}
