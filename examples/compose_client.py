"""The example client of docker-compose.yml: a small loop through the four services.

It imports the sample clauses, trains, deploys and predicts. Addresses and token come from the
environment. Run it again and it trains the next version.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from spanloop import Client, SpanloopError
from spanloop.errors import AlreadyExists
from spanloop.types import PredictResult, TrainingJob, TrainingJobState

HERE = Path(__file__).resolve().parent
PROJECT = "contracts"
TEXT = "Within 30 days of 1 May 2027, Harbour Mills Ltd shall pay USD 12,500 to Antwerp."


def clauses() -> Path:
    """Return the sample file: beside this program in the image, in samples/ in a checkout."""
    for folder in (HERE, HERE.parent / "samples"):
        path = folder / "contract_clauses" / "clauses.jsonl"
        if path.exists():
            return path
    raise SystemExit("the sample file contract_clauses/clauses.jsonl is missing")


def predict_by(client: Client, revision: int, seconds: float = 60.0) -> PredictResult:
    """Predict the text by a deployment revision; the first load also fetches the trunk."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        states = client.serving_state(PROJECT).generations
        if any(g.deployment_revision == revision and g.state == "ready" for g in states):
            return client.predict(PROJECT, [TEXT])
        time.sleep(0.1)
    raise SystemExit(f"revision {revision} is not served after {seconds:g} s: {states}")


def main() -> int:
    """Run the loop once; return the exit status."""
    say = sys.stdout.write
    with Client() as client:
        try:
            client.create_project(PROJECT)
        except AlreadyExists:
            say(f"project {PROJECT} is there already\n")
        report = client.import_file(PROJECT, clauses(), create_labels=True)
        say(f"imported {report.imported_tasks} tasks ({report.unchanged_tasks} known)\n")
        job = client.create_training_job(PROJECT, snapshot=client.create_snapshot(PROJECT))
        for update in client.watch_training_job(job):
            if isinstance(update, TrainingJob):
                job = update
                say(f"{job.state} {job.progress.phase} {job.progress.fraction:.0%}\n")
        if job.state is not TrainingJobState.DONE:
            say(f"training ended {job.state}: {job.failure.message if job.failure else ''}\n")
            return 1
        deployment = client.deploy(PROJECT, job.model_version)
        say(f"deployed {job.model_version}, revision {deployment.revision}\n")
        answer = predict_by(client, deployment.revision)
        for span in answer.predictions[0].spans:
            say(f"{span.label:16} {span.score:.2f}  {TEXT[span.start : span.end]}\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpanloopError as error:
        sys.exit(f"error: {error}")
