/** Something an application can tell its user: the message names what is wrong and how to mend it. */
export class TranslationError extends Error {
  override name = "TranslationError";
}

/** An exported model that is missing, damaged or not one. */
export class ModelError extends TranslationError {
  override name = "ModelError";
}

/** A request that cannot be met: a number that makes no sense, or something that this model cannot do. */
export class RequestError extends TranslationError {
  override name = "RequestError";
}
