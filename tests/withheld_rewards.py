"""Records of rounds whose choice was not proved, made of rounds whose choice was."""

from collections import Counter
from typing import Any


def withhold_rewards(outcome: Any, settlement: Any) -> None:
    """Leave all fees to the market, in an outcome and its settled deals as plain lists and dictionaries.

    Every sum is made to fit; solvers that won nothing any more lose their rows.
    """
    caps: Counter[str] = Counter()
    for deal, settled in zip(outcome["deals"], settlement, strict=True):
        parts = {part["chain"]: part["amount"] for part in deal["reward"]}
        deal["reward"] = []
        for leg in settled["legs"]:
            for moved in leg["transfers"]:
                if moved["credit"] == "fees:protocol":
                    moved["amount"] += parts.get(leg["chain"], 0)
                    caps[deal["solver"]] += moved["amount"] // 2
            leg["transfers"] = [
                moved for moved in leg["transfers"] if not moved["credit"].startswith("solver:")
            ]
    outcome["rewards"] = [
        row
        | {
            "cap": caps[row["solver"]],
            "marginal": max(0, outcome["choice"]["score"] - row["without"]),
            "amount": 0,
            "proved": False,
        }
        for row in outcome["rewards"]
        if row["solver"] in caps
    ]
