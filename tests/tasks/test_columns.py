"""Columns of the user's own names, in every kind of table."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kaprune_edge.recipe import PruneRecipe, make_recipe, save_recipe
from kaprune_edge.tasks import Columns, load_task
from kaprune_edge.tasks.tables import read_unlabelled
from kaprune_runtime.errors import InputError

NAMES = ("id", "Review", "stars")
ROWS = [("1", "a warm film", "5"), ("2", "a dull plot", "1"), ("3", "a warm plot", "5")]
COLUMNS = Columns(text=("review",), label="stars")


def write(path, delimiter):
    path.write_text("".join(delimiter.join(row) + "\n" for row in (NAMES, *ROWS)))


def write_jsonl(path):
    path.write_text("".join(f'{{"id": {a}, "Review": "{b}", "stars": {c}}}\n' for a, b, c in ROWS))


def write_parquet(path, names=NAMES, **options):
    columns = dict(zip(names, map(list, zip(*ROWS, strict=True)), strict=True))
    pq.write_table(pa.table(columns), path, **options)


WRITERS = {
    "csv": lambda path: write(path, ";"),
    "tsv": lambda path: write(path, "\t"),
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_named_columns_are_read(tmp_path, kind):
    WRITERS[kind](path := tmp_path / "rows")
    task = load_task(f"{kind}:{path},{path}", columns=COLUMNS)
    assert task.text_columns == ("review",)
    assert task.label_names == ("1", "5")
    assert task.train[:] == {"review": [row[1] for row in ROWS], "label": [1, 0, 1]}


def test_two_named_columns_are_a_pair_in_their_order(tmp_path):
    WRITERS["csv"](path := tmp_path / "rows")
    task = load_task(f"csv:{path},{path}", columns=Columns(text=(" Review ", "ID"), label="STARS"))
    assert task.text_columns == ("review", "id")
    assert task.train[0] == {"review": "a warm film", "id": "1", "label": 1}


def test_unlabelled_texts_have_the_columns_of_their_task(tmp_path):
    for name in ("rows.csv", "rows.parquet"):
        WRITERS[name[5:]](path := tmp_path / name)
        task = load_task(f"{name[5:]}:{path},{path}", columns=COLUMNS)
        assert read_unlabelled(path, task)["review"][:] == [row[1] for row in ROWS]


def test_recipes_keep_them(tmp_path):
    given = {"model": "m", "task": "csv:a.csv", "columns.text": ["Review"], "columns.label": "stars"}
    recipe = make_recipe(PruneRecipe, None, given)
    assert recipe.columns == COLUMNS
    save_recipe(recipe, path := tmp_path / "recipe.yaml")
    assert make_recipe(PruneRecipe, path, {}) == recipe
    assert make_recipe(PruneRecipe, path, {"columns.label": "id"}).columns.text == ("review",)


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"text": ["a", "A"]}, "column 'a' is named twice; texts and labels have columns of their own"),
        ({"text": ["a"], "label": "a"}, "column 'a' is named twice"),
        ({"text": ["a", "b", "c"]}, "3 text columns are too many; give one, or the two of pairs"),
        ({"text": [" "]}, "a column's name is empty; give the name that the file has"),
        ({"text": ["label"], "label": "b"}, "a text column cannot be called 'label'; rename it in the file"),
    ],
)
def test_columns_that_cannot_be_meant(named, says):
    with pytest.raises(InputError, match=says):
        make_recipe(Columns, None, named)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {"text": ("review",)},
            "no column 'label', only 'id', 'review', 'stars'; name the one with the labels by --label-column",
        ),
        (
            {"text": ("body",), "label": "stars"},
            "no column 'body', only 'id', 'review', 'stars'; name the one with the texts by --text-column",
        ),
        (
            {"label": "stars"},
            r"no text column, only 'id', 'review', 'stars'; name it by --text-column \(twice for pairs\)",
        ),
    ],
)
def test_a_wrong_column_is_told_beside_those_that_are_there(tmp_path, kind, columns, says):
    WRITERS[kind](path := tmp_path / "rows")
    with pytest.raises(InputError, match=says):
        load_task(f"{kind}:{path},{path}", columns=Columns(**columns))


@pytest.mark.parametrize("spec", ["glue/sst2", "tags:a,b", "demo/movie-reviews"])
def test_other_tasks_have_columns_of_their_own(spec):
    with pytest.raises(
        InputError, match="has columns of its own; leave out --text-column and --label-column"
    ):
        load_task(spec, columns=COLUMNS)


def test_tsv_is_cut_at_tabs_alone(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_text("a,text,label,b\tkind\na;b,c\tx\nd\ty\n")
    task = load_task(f"tsv:{path},{path}", columns=Columns(text=("a,text,label,b",), label="kind"))
    assert task.train["a,text,label,b"][:] == ["a;b,c", "d"]


def test_named_columns_tell_the_delimiter(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("review, in full;stars\na, b;1\nc;2\n")
    task = load_task(f"csv:{path},{path}", columns=Columns(text=("review, in full",), label="stars"))
    assert task.train["review, in full"][:] == ["a, b", "c"]


def parquet(**columns):
    return lambda path: pq.write_table(pa.table(columns), path)


def truncated(path):
    write_parquet(path)
    path.write_bytes(path.read_bytes()[:-30])


def damaged(path):
    write_parquet(path, ("id", "text", "label"), compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 4] = bytes(len(content) // 4 - 4)
    path.write_bytes(content)


def doubled(path):
    pq.write_table(pa.table([["a"], ["b"], ["c"]], names=["text", "Text", "label"]), path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (truncated, "rows is no Parquet file, or is cut short; copy it again"),
        (damaged, "column 'text' of .*rows is damaged; copy the file again"),
        (WRITERS["csv"], "rows is no Parquet file, or is cut short; copy it again"),
        (lambda path: path.write_bytes(b""), "rows is no Parquet file"),
        (lambda path: None, "there is no file .*rows; check the path"),
        (lambda path: path.mkdir(), "rows is a folder; give a file"),
        (doubled, "has two columns 'text'; leave one, or rename one"),
        (parquet(text=["a", None], label=["x", "y"]), "row 2 of .*rows has no 'text'; every row needs one"),
        (parquet(text=["a", "b"], label=["x", None]), "row 2 of .*rows has no 'label'"),
        (parquet(text=[b"a", b"b"], label=["x", "y"]), "row 1 of .*rows has bytes for its 'text'"),
        (parquet(text=[1, 2], label=["x", "y"]), "row 1 of .*rows has a number for its 'text'"),
        (parquet(text=["a"], label=[["x", "y"]]), "row 1 of .*rows has a list of labels"),
        (parquet(text=["a", "b"], label=[1.0, float("nan")]), "row 2 of .*rows has the label 'nan'"),
    ],
)
def test_parquet_that_cannot_be_meant(tmp_path, make, says):
    make(path := tmp_path / "rows")
    with pytest.raises(InputError, match=says):
        load_task(f"parquet:{path},{path}")


def test_parquet_keeps_its_types(tmp_path):
    kinds = pa.array(["b", "a", "b"]).dictionary_encode()
    pq.write_table(pa.table({"a.text": ["x", "", "z"], "kind": kinds, "vector": [[0.5]] * 3}), tmp_path / "a")
    task = load_task(f"parquet:{tmp_path}/a,{tmp_path}/a", columns=Columns(text=("a.text",), label="kind"))
    assert task.train[:] == {"a.text": ["x", "", "z"], "label": [1, 0, 1]}
    pq.write_table(pa.table({"text": ["x", "y"], "label": [1.0, 2.0]}), tmp_path / "b")
    assert load_task(f"parquet:{tmp_path}/b,{tmp_path}/b").label_names == ("1", "2")
