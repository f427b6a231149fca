"""How sure a model is of each token of given translations, and whether it is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from seq2seq_attn.data.corpus import SentencePair
from seq2seq_attn.errors import ConfigError
from seq2seq_attn.evaluation.calibration import BINS, Calibration, calibration
from seq2seq_attn.experiment.forcing import force, log_probs_of
from seq2seq_attn.translation import Translator

CHUNK = 1024  # pairs that are encoded before they are put into batches by length


def calibrate(translator: Translator, pairs: Sequence[SentencePair], *, bins: int = BINS) -> Calibration:
    """Compare the model's confidence in its most probable token with how often that is the reference's.

    Every token is predicted behind the reference's earlier ones (teacher forcing), the end of the
    sentence, too. Probabilities are those of the model: nothing is forbidden as in search.

    Args:
        translator: its model; the settings of its search play no part.
        pairs: sentences and their reference translations; those with a blank side are left out.
        bins: of the calibration.

    Raises:
        ConfigError: if the translator is an ensemble.
        UserError: if there is no token to predict.
    """
    if len(translator.members) > 1:
        raise ConfigError(f"the calibration of {len(translator.members)} models at once is not offered; name one run")
    confidences: list[np.ndarray] = []
    correct: list[np.ndarray] = []
    with tqdm(total=len(pairs), desc="calibrating", unit="pair", disable=None, leave=False) as bar:
        for begin in range(0, len(pairs), CHUNK):
            chunk = pairs[begin : begin + CHUNK]
            for batch, forced in force(translator, chunk):
                for row, length in enumerate(batch.target_lengths.tolist()):
                    best = log_probs_of(translator.trained("calibration"), batch, forced, row, length).max(dim=-1)
                    confidences.append(best.values.exp().double().clamp(max=1).cpu().numpy())
                    correct.append((best.indices == batch.target_out[row, :length]).cpu().numpy())
            bar.update(len(chunk))
    nothing = np.zeros(0)
    return calibration(
        np.concatenate([nothing, *confidences]), np.concatenate([nothing.astype(bool), *correct]), bins=bins
    )
