from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "make_toy_corpus.py"
DATA = ROOT / "data" / "toy"
SIZES = {"train": 9000, "validation": 500, "test": 500, "test_long": 250}
SUFFIXES = ("en", "pt", "align")

sys.path.insert(0, str(SCRIPT.parent))

from toy_corpus.alignment import Phrase, Target, Word, finish, phrase  # noqa: E402
from toy_corpus.lexicon_nouns import NOUNS  # noqa: E402
from toy_corpus.verbs import conjugate, participle  # noqa: E402

# Written by hand, not taken from the grammar: singular, plural and gender as a dictionary gives them.
GENDERS = {
    "livro": ("livros", "m"),
    "carta": ("cartas", "f"),
    "mãe": ("mães", "f"),
    "irmão": ("irmãos", "m"),
    "irmã": ("irmãs", "f"),
    "leão": ("leões", "m"),
    "flor": ("flores", "f"),
    "hotel": ("hotéis", "m"),
    "violão": ("violões", "m"),
    "canção": ("canções", "f"),
    "estação": ("estações", "f"),
    "jardim": ("jardins", "m"),
    "homem": ("homens", "m"),
    "mulher": ("mulheres", "f"),
    "ladrão": ("ladrões", "m"),
    "ponte": ("pontes", "f"),
    "cidade": ("cidades", "f"),
    "filme": ("filmes", "m"),
    "chave": ("chaves", "f"),
}
FORMS = {
    "ms": "o um do no ao pelo este aquele neste naquele deste daquele àquele num meu nosso seu belo primeiro último "
    "outro bom vermelho velho novo caro pequeno limpo sujo branco preto italiano português famoso",
    "fs": "a uma da na à pela esta aquela nesta naquela desta daquela àquela numa minha nossa sua bela primeira última "
    "outra boa vermelha velha nova cara pequena limpa suja branca preta italiana portuguesa famosa",
    "mp": "os dos nos aos pelos estes aqueles nestes naqueles meus nossos seus dois muitos alguns todos belos bons "
    "outros vermelhos velhos novos caros pequenos limpos sujos brancos pretos italianos portugueses famosos azuis",
    "fp": "as das nas às pelas estas aquelas nestas naquelas minhas nossas suas duas muitas algumas todas belas boas "
    "outras vermelhas velhas novas caras pequenas limpas sujas brancas pretas italianas portuguesas famosas azuis",
}


def read(split: str, suffix: str) -> list[str]:
    return (DATA / f"{split}.{suffix}").read_text(encoding="utf-8").split("\n")[:-1]


def tokens(split: str, suffix: str) -> list[list[str]]:
    return [line.split(" ") for line in read(split, suffix)]


def links(split: str) -> list[list[tuple[int, int]]]:
    return [[(int(i), int(j)) for i, j in (pair.split("-") for pair in line.split())] for line in read(split, "align")]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_committed_files_are_what_the_script_writes(tmp_path: Path) -> None:
    # Run from elsewhere, in another process with its own hash seed: an order that comes from a set would show.
    assert run("--output", "again", cwd=tmp_path).returncode == 0
    written = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert written == sorted(path.name for path in DATA.iterdir())
    for name in written:
        assert (tmp_path / "again" / name).read_bytes() == (DATA / name).read_bytes(), name


def test_another_seed_makes_another_corpus(tmp_path: Path) -> None:
    assert run("--output", "other", "--seed", "7", cwd=tmp_path).returncode == 0
    assert (tmp_path / "other" / "train.en").read_bytes() != (DATA / "train.en").read_bytes()


def test_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = run("--output", "file/below", cwd=tmp_path)
    assert result.returncode == 2
    assert "file/below: cannot be written" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("split", SIZES)
def test_files_are_parallel_and_clean(split: str) -> None:
    columns = [read(split, suffix) for suffix in SUFFIXES]
    assert [len(column) for column in columns] == [SIZES[split]] * 3
    for english, portuguese, _ in zip(*columns, strict=True):
        for line in (english, portuguese):
            assert line == " ".join(line.split()), line
            assert line[0].isupper(), line
            assert line[-2:] in (" .", " ?"), line
            assert not re.search(r"\w[.,?]", line), line
        assert english[-1] == portuguese[-1]


def test_all_files_together_are_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 2_000_000


@pytest.mark.parametrize("split", SIZES)
def test_links_are_in_range_sorted_and_leave_no_word_out(split: str) -> None:
    for english, portuguese, pairs in zip(tokens(split, "en"), tokens(split, "pt"), links(split), strict=True):
        assert pairs == sorted(set(pairs))
        assert {i for i, _ in pairs} == set(range(len(english))), english
        assert {j for _, j in pairs} == set(range(len(portuguese))), portuguese


def test_a_noun_is_linked_to_its_translation_alone() -> None:
    english_forms = {"book": "livro", "letters": "cartas", "lions": "leões", "key": "chave", "hotels": "hotéis"}
    seen: Counter[str] = Counter()
    for english, portuguese, pairs in zip(tokens("train", "en"), tokens("train", "pt"), links("train"), strict=True):
        for position, word in enumerate(english):
            if word in english_forms:
                assert [portuguese[j] for i, j in pairs if i == position] == [english_forms[word]], english
                seen[word] += 1
    assert min(seen[word] for word in english_forms) >= 5


def test_lengths() -> None:
    for split in ("train", "validation", "test"):
        lengths = [len(sentence) for sentence in tokens(split, "en")]
        share = [sum(low <= length <= high for length in lengths) / len(lengths) for low, high in ((15, 29), (30, 99))]
        assert min(lengths) >= 4
        assert max(lengths) <= 45
        assert 0.08 < share[0] < 0.13
        assert 0.01 < share[1] < 0.03
    long = [len(sentence) for sentence in tokens("test_long", "en")]
    assert min(long) >= 30
    assert 55 < max(long) <= 60
    train = [len(sentence) for sentence in tokens("train", "en")]
    assert 0.01 < sum(length >= 30 for length in train) / len(train) < 0.03


def test_no_english_sentence_occurs_twice() -> None:
    counts = Counter(line for split in SIZES for line in read(split, "en"))
    assert [line for line, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("suffix", ["en", "pt"])
def test_every_word_of_the_other_splits_is_frequent_in_train(suffix: str) -> None:
    counts = Counter(token for sentence in tokens("train", suffix) for token in sentence)
    assert 300 < len(counts) < 900
    for split in ("validation", "test", "test_long"):
        rare = {token for sentence in tokens(split, suffix) for token in sentence if counts[token] < 5}
        assert rare == set()


def test_words_beside_a_noun_agree_with_it() -> None:
    belongs: dict[str, set[str]] = {}
    for form, words in FORMS.items():
        for word in words.split():
            belongs.setdefault(word, set()).add(form)
    nouns = {singular: gender + "s" for singular, (_, gender) in GENDERS.items()}
    nouns |= {plural: gender + "p" for plural, gender in GENDERS.values()}
    checked = 0
    for split in SIZES:
        for sentence in tokens(split, "pt"):
            words = [word.lower() for word in sentence]
            for i, word in enumerate(words[:-1]):
                # After a noun, "a", "o" and the like are another phrase; only adjectives count there.
                around = [words[i - 1]] + ([words[i + 1]] if len(words[i + 1]) > 3 else [])
                for neighbor in around if word in nouns and i else []:
                    if neighbor in belongs and (neighbor is around[0] or neighbor in ADJECTIVES):
                        assert nouns[word] in belongs[neighbor], " ".join(sentence)
                        checked += 1
    assert checked > 3000


ADJECTIVES = {word for forms in FORMS.values() for word in forms.split() if word[:4] in {
    "verm", "velh", "novo", "nova", "caro", "cara", "pequ", "limp", "sujo", "suja", "bran", "pret", "ital", "port",
    "famo", "azui",
}}  # fmt: skip


def test_no_contraction_is_left_undone() -> None:
    articles = r"(o|a|os|as|este|esta|estes|estas|aquele|aquela|aqueles|aquelas|ele|ela|eles|elas)"
    undone = re.compile(
        rf"\b(de|em) {articles}\b|\bpor (o|a|os|as)\b|\bem uma?\b|\ba (o|a|os|as|aquel\w+)\b|\bcom (mim|nós)\b",
        re.IGNORECASE,
    )
    for split in SIZES:
        for line in read(split, "pt"):
            assert not undone.search(line), line


def test_verbs_agree_with_we_and_i() -> None:
    between = r"(?:não |sempre |nunca |frequentemente |me |nos |lhes? |os? |a )*"
    we = re.compile(rf"(?<!de )(?<!para )(?<!em )\bnós {between}(\w+)", re.IGNORECASE)
    i = re.compile(rf"\beu {between}(\w+)", re.IGNORECASE)
    found = 0
    for line in read("train", "pt"):
        for verb in we.findall(line):
            assert verb.endswith("mos"), line
            found += 1
        for verb in i.findall(line):
            assert verb.endswith(("o", "ei", "i", "ia", "va", "ou", "era", "fui", "disse", "trouxe")), line
            found += 1
    assert found > 500


def test_the_phenomena_are_there() -> None:
    """Each pattern stands for one promise of data/README.md."""
    both = [f"{en} ||| {pt}" for en, pt in zip(read("train", "en"), read("train", "pt"), strict=True)]
    for pattern in (
        r"red \w+.* \|\|\| .*\w+ vermelh",  # an adjective moves behind its noun
        r"^Did .* \|\|\|",  # do-support
        r"does not .* \|\|\| .*não",
        r" who .* \|\|\| .* que ",
        r"\bwhom\b.* \|\|\| .* quem ",
        r"^How many .* \|\|\| (Quant|De quant)",
        r"likes? .* \|\|\| .*gost\w+ (d[oae]s?|dest\w+|daquel\w+|num|numa) ",
        r"with us .* \|\|\| .*conosco",
        r"'s .* \|\|\|",
        r"cannot .* \|\|\| .*não pod",
        r"(was|were) \w+ by .* \|\|\| .*(foi|foram) \w+[aieí]d[oa]s? p(or|el)|escrit[oa]s? p",  # the passive
        r"remember.* \|\|\| .*se lembra",
        r"taller than .* \|\|\| .*mais alt\w+ do que",
    ):
        assert sum(bool(re.search(pattern, line)) for line in both) >= 2, pattern


@pytest.mark.parametrize(
    ("infinitive", "tense", "forms"),
    [
        ("comprar", "present", "compro compra compramos compram"),
        ("chegar", "past", "cheguei chegou chegamos chegaram"),
        ("dançar", "past", "dancei dançou dançamos dançaram"),
        ("conhecer", "present", "conheço conhece conhecemos conhecem"),
        ("conhecer", "imperfect", "conhecia conhecia conhecíamos conheciam"),
        ("obedecer", "past", "obedeci obedeceu obedecemos obedeceram"),
        ("abrir", "past", "abri abriu abrimos abriram"),
        ("dormir", "present", "durmo dorme dormimos dormem"),
        ("construir", "present", "construo constrói construímos constroem"),
        ("ver", "past", "vi viu vimos viram"),
        ("trazer", "past", "trouxe trouxe trouxemos trouxeram"),
        ("ouvir", "present", "ouço ouve ouvimos ouvem"),
        ("gostar", "imperfect", "gostava gostava gostávamos gostavam"),
        ("ser", "imperfect", "era era éramos eram"),
        ("ir", "present", "vou vai vamos vão"),
    ],
)
def test_conjugation(infinitive: str, tense: str, forms: str) -> None:
    assert [conjugate(infinitive, tense, slot) for slot in range(4)] == forms.split()


def test_participles_agree() -> None:
    assert participle("escrever", "f", True) == "escritas"
    assert participle("vender", "m", False) == "vendido"
    assert participle("construir", "f", False) == "construída"


def test_lexicon_has_the_genders_and_plurals_of_the_dictionary() -> None:
    known = {noun.pt: noun for noun in NOUNS}
    for singular, (plural, gender) in GENDERS.items():
        assert known[singular].gender == gender
        assert known[singular].pt_plural in (plural, "-")


def test_merged_word_keeps_the_links_of_both() -> None:
    # "of the" is one word, and its links must not be those of the preposition alone.
    of, the, garden = Word("of"), Word("the"), phrase("garden", "jardim")
    pair = finish(Phrase((of, the, *garden.en), (Target("de", (of,)), Target("o", (the,), merges=True), *garden.pt)))
    assert pair.pt == ("Do", "jardim")
    assert pair.links == ((0, 0), (1, 0), (2, 1))
