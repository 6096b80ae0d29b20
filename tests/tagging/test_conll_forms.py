"""Columns of words and tags in the forms that corpora have, each written out by hand."""

import pytest
import tiny

from kaprune_edge.tasks import load_task, tokenize
from kaprune_runtime.errors import InputError


@pytest.fixture
def load(tmp_path):
    def load(text):
        (tmp_path / "rows.txt").write_text(text, encoding="utf-8")
        return load_task(f"tags:{tmp_path / 'rows.txt'},{tmp_path / 'rows.txt'}")

    return load


def tagged(task):
    """Write the rows as `word/tag word/tag`."""
    return [
        " ".join(
            f"{word}/{task.label_names[label]}"
            for word, label in zip(row["tokens"], row["label"], strict=True)
        )
        for row in task.train
    ]


CONLL_U = """# newdoc
# text = Don't go .
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\tSpaceAfter=No
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t0:x\t_
4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_

# text = Go
1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
"""

FORMS = [
    ("two B-PER\nfilm O\n\nit O\n", ["two/B-PER film/O", "it/O"]),
    ("two\tB-PER\r\nfilm\tO\r\n\r\nit\tO", ["two/B-PER film/O", "it/O"]),
    ("two B-PER\rfilm O\r\rit O\r", ["two/B-PER film/O", "it/O"]),
    ("two NN B-NP\nfilm NN O\n", ["two/B-NP film/O"]),
    ("-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nsays VBZ B-VP O\n", ["EU/B-ORG says/O"]),
    ("EU EU NE I-NC I-ORG\nsagt sagen VV I-VC O\n", ["EU/I-ORG sagt/O"]),
    ("New York\tB-LOC\n10\xa0000\tO\n\xa0\tO\n", ["New York/B-LOC 10\xa0000/O \xa0/O"]),
    ("New\xa0York B-LOC\nest O\n", ["New\xa0York/B-LOC est/O"]),
    ("1\tNew York\tB-LOC\n2\tis\tO\n\n1\tAda\tB-PER\n", ["New York/B-LOC is/O", "Ada/B-PER"]),
    ("0 two B-PER\n1 film O\n\n2 it O\n", ["two/B-PER film/O", "it/O"]),
    ("# id 1\ttype=x\ntwo\tB-PER\n#\tO\n#tag\tB-TAG\n", ["two/B-PER #/O #tag/B-TAG"]),
    ("# id 5 domain=en\ntwo _ _ B-PER\n\n# id 6 domain=en\nfilm _ _ O\n", ["two/B-PER", "film/O"]),
    ("#begin document (a); part 000\ntwo B-PER\n# O\nfilm O\n#end document\n", ["two/B-PER #/O film/O"]),
    ("# newdoc\ntwo B-PER\nfilm O\n", ["two/B-PER film/O"]),
    ("# B-X\ntwo O\n", ["#/B-X two/O"]),
    ("2012 B-DATE\n2013 I-DATE\nfilm O\n", ["2012/B-DATE 2013/I-DATE film/O"]),
    (CONLL_U, ["Do/AUX n't/PART go/VERB ./PUNCT", "Go/VERB"]),
    (CONLL_U.replace("\t", " "), ["Do/AUX n't/PART go/VERB ./PUNCT", "Go/VERB"]),
    ("two\tB-PER\n\t\nfilm\tO\t\n", ["two/B-PER", "film/O"]),
]


@pytest.mark.parametrize(("text", "rows"), FORMS, ids=[str(number) for number in range(len(FORMS))])
def test_forms(load, text, rows):
    assert tagged(load(text)) == rows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Ada\tB-PER\n\tO\n", "line 2 of .* has an empty word"),
        ("Ada\tB-PER\n \tO\n", "line 2 of .* has an empty word"),
        ("Ada B-PER\nLovelace\n", "line 2 of .* has no tag"),
        ("Ada\tB-PER\nin\t\n", "line 2 of .* has no tag"),
        ("Ada B-PER\nNew York B-LOC\n", "line 2 of .* has 3 columns instead of 2; .* with tabs between them"),
        ("token\ttag\nAda\tB-PER\n", "line 1 of .* names the columns; delete it"),
        ("1\tAda\tB-PER\tO\n2\tsays\tO\tO\n", "has 4 columns, of which the first counts words"),
        ("1 O\n2 B-PER\n", "has 2 columns, of which the first counts words"),
        ("Ada B-PER 1\nsays O 2\n", "has no tags in its last column, which counts words"),
        (
            "bc/1 0 0 Ada NNP * - - a * -\nbc/1 0 1 says VB * - - a * -\n",
            "has 11 columns and may have several",
        ),
        ("s1 Ada B-PER\ns1 says O\n\ns2 he O\ns2 went O\n", "has the same first column all through each"),
        (CONLL_U.replace("VERB", "_"), "line 6 of .* has no tag"),
        ("# only\n# comments\n", "has no words"),
        ("Ada B-PER\nsays O\nhe o\n", "the labels 'O' and 'o' of .* differ in case"),
    ],
)
def test_what_cannot_be_told_is_refused(load, text, says):
    with pytest.raises(InputError, match=says):
        load(text)


def test_all_tokens_of_a_word_with_a_space_are_the_words(load):
    task = load("two brothers\tB-PER\nit\tO\n\xa0\tO\nfilm\tI-PER\n")
    (row,) = tokenize(task.train, task, tiny.make_tokenizer("bert"), 32)
    names = [task.label_names[label] if label >= 0 else None for label in row["labels"]]
    assert names == [None, "B-PER", "I-PER", "O", "O", "I-PER", None]
