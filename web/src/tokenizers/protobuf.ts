/** As much of protocol buffers as a sentencepiece model needs: https://protobuf.dev/programming-guides/encoding */

/** One field of a message: its number and what it holds. Numbers of eight bytes are passed over. */
export type Field =
  | { readonly number: number; readonly kind: "varint"; readonly value: number }
  | { readonly number: number; readonly kind: "float"; readonly value: number }
  | { readonly number: number; readonly kind: "bytes"; readonly value: Uint8Array };

/**
 * Read the fields of a message one after the other.
 *
 * @throws RangeError where the bytes end inside a field, or are no message
 */
export function* fields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = 0;

  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = view.getUint8(position++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };

  while (position < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        yield { number, kind: "varint", value: varint() };
        break;
      case 1:
        position += 8;
        break;
      case 2: {
        const length = varint();
        const end = position + length;
        if (end > bytes.length) throw new RangeError("a field is longer than its message");
        yield { number, kind: "bytes", value: bytes.subarray(position, end) };
        position = end;
        break;
      }
      case 5:
        yield { number, kind: "float", value: view.getFloat32(position, true) };
        position += 4;
        break;
      default:
        throw new RangeError(`a field of an unknown kind, ${tag % 8}`);
    }
  }
}
