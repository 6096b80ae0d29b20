from statistics import mean

from kaprune_edge.tasks import load_task


def test_movie_reviews():
    task = load_task("demo/movie-reviews")
    assert (task.name, task.text_columns, task.label_names) == (
        "demo/movie-reviews",
        ("sentence",),
        ("negative", "positive"),
    )
    assert (len(task.train), len(task.evaluation)) == (8505, 2100)
    assert not set(task.train["sentence"]) & set(task.evaluation["sentence"])
    for split in (task.train, task.evaluation):
        assert 0.45 < mean(split["label"]) < 0.55
    labels = dict(zip(task.train["sentence"], task.train["label"], strict=True))
    assert labels["Effective but too tepid biopic"] == 0
    good = "If you sometimes like to go to the movies to have fun, Wasabi is a good place to start."
    assert {**labels, **dict(zip(task.evaluation["sentence"], task.evaluation["label"], strict=True))}[
        good
    ] == 1
