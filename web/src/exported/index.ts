/** Exported models: their folder, its checksums, and onnxruntime as the model that search runs. */

export { ModelFolder, type Progress, type ReadFile } from "./folder.js";
export type { Decoding, FileFacts, Manifest } from "./manifest.js";
export { isSupported, webRuntime, type Runtime, type Session, type Tensor } from "./runtime.js";
export { OnnxModel, type OnnxState } from "./session.js";
