"""Processing rules: saved and checked, compiled to array plans, run in the transaction of a batch.

Writes data_processing_rules and processed_data. Entry: `RuleStage`, which every engine calls with
the readings that are new, and `saved`, which the API calls. What a rule makes of arrays stands in
`processing/rules`.
"""

from fleetplatform.ingest.rules.stage import NOTHING, Processed, RuleStage

__all__ = ["NOTHING", "Processed", "RuleStage"]
