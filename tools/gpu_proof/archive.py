"""Pack a proof to leave the machine, and publish it with the other tables."""

import io
import shutil
import tarfile
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError
from data_pipeline.sources.files import write_file
from results.records.store import RECORDS_FILE, SAMPLES_FOLDER

if TYPE_CHECKING:
    from results import RunRecord

PROOF_ARCHIVE, SAMPLES_ARCHIVE = "gpu-proof.tgz", "gpu-proof-samples.tar"
MAX_SAMPLES_BYTES = 15 << 20  # a lent machine hands back files of 16 MiB at most
PREFIX = "gpu"  # of published names


def archive(out: Path, folder: Path) -> None:
    """Pack a proof into two files, each put in place at once.

    The first is all but the samples: what a second call needs to go on, and what is published. The
    second is as many samples as a file may hold, the smallest first; the rest stays behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sized = sorted((p.stat().st_size, p) for p in out.glob(f"*/{SAMPLES_FOLDER}/*.npz"))
    ends = accumulate(size + 2048 for size, _ in sized)  # with header, and what fills a last block
    samples = [p for (_, p), end in zip(sized, ends, strict=True) if end <= MAX_SAMPLES_BYTES]
    rest = sorted(p for p in out.rglob("*") if p.is_file() and SAMPLES_FOLDER not in p.parts)
    write_file(folder / PROOF_ARCHIVE, _packed(out, rest, "w:gz"))
    if samples:
        write_file(folder / SAMPLES_ARCHIVE, _packed(out, samples, "w:"))


def _packed(out: Path, paths: list[Path], mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as packed:  # type: ignore[call-overload]
        for path in paths:
            packed.add(path, Path(out.name) / path.relative_to(out))
    return stream.getvalue()


def keep_tables(out: Path, folder: Path) -> list[Path]:
    """Put records and table of each sweep, and the summary, among the published tables.

    Raises:
        UsageError: there is no proof in the folder.
    """
    if not (out / "proof.md").is_file():
        raise UsageError(f"no proof in {out}; name its folder with --out")
    from results import read_records

    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for path in sorted(out.glob(f"*/{RECORDS_FILE}")):
        name = f"{PREFIX}-{path.parent.name}"
        text = f"# {name}\n\n{table_of(read_records(path))}"
        write_file(folder / f"{name}.md", text.encode())
        kept += [Path(shutil.copyfile(path, folder / f"{name}.jsonl")), folder / f"{name}.md"]
    for path in filter(Path.exists, (out / "loader.json", out / "proof.md")):
        kept.append(Path(shutil.copyfile(path, folder / f"{PREFIX}-{path.name}")))
    return kept


def table_of(records: "list[RunRecord]") -> str:
    """Return the Markdown of `table --format markdown` for some records, and its footer."""
    from results import summarize, table_rows
    from results.ladder.footer import ladder_footer_lines, ladder_sentences
    from results.ladder.rows import LADDER_KEYS, ladder_rows
    from results.ladder.table import ladder_columns
    from results.render.footer import footer_lines
    from results.render.formats import export
    from results.rows.comparable import is_ladder

    if all(map(is_ladder, records)):
        rows = ladder_rows(records)
        table = export(rows, "markdown", columns=ladder_columns(rows), keys=LADDER_KEYS)
        lines = [*ladder_sentences(records), *ladder_footer_lines(records)]
    else:
        summaries = summarize(records)
        rows = table_rows(summaries)
        table, lines = export(rows, "markdown"), footer_lines(summaries, rows=rows)
    return table + "\n" + "".join(f"- {line}\n" for line in lines)
