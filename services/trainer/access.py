"""Who may call which method of the trainer.

Only training scripts are for users with tokens of their own; their handlers ask for roles.
"""

from __future__ import annotations

from services.common.auth import Access, AccessRules

_SERVICE = "/spanloop.trainer.v1.TrainerService"
_RESOURCES = "/spanloop.trainer.v1.ResourceService"
_REPORTS = "/spanloop.trainer.v1.TrainingReportService"
_SETTINGS = "/spanloop.trainer.v1.TrainingSettingsService"
_GROUPS = "/spanloop.trainer.v1.TrainingGroupService"
_SCRIPTS = "/spanloop.trainer.v1.TrainingScriptService"

ACCESS: AccessRules = {
    f"{_SERVICE}/CreateTrainingJob": Access.SERVICES,
    f"{_SERVICE}/GetTrainingJob": Access.SERVICES,
    f"{_SERVICE}/ListTrainingJobs": Access.SERVICES,
    f"{_SERVICE}/CancelTrainingJob": Access.SERVICES,
    f"{_SERVICE}/WatchTrainingJob": Access.SERVICES,
    f"{_RESOURCES}/DescribeParameters": Access.SERVICES,
    f"{_RESOURCES}/ListResources": Access.SERVICES,
    f"{_REPORTS}/GetTrainingReport": Access.SERVICES,
    f"{_REPORTS}/DownloadTrainingReport": Access.SERVICES,
    f"{_REPORTS}/DownloadTrainingLogs": Access.SERVICES,
    f"{_SETTINGS}/GetTrainingSettings": Access.SERVICES,
    f"{_SETTINGS}/UpdateTrainingSettings": Access.SERVICES,
    f"{_SETTINGS}/GetActiveLearningState": Access.SERVICES,
    f"{_GROUPS}/CreateTrainingGroup": Access.SERVICES,
    f"{_GROUPS}/GetTrainingGroup": Access.SERVICES,
    f"{_SCRIPTS}/CreateTrainingScript": Access.AUTHENTICATED,
    f"{_SCRIPTS}/GetTrainingScript": Access.AUTHENTICATED,
    f"{_SCRIPTS}/ListTrainingScripts": Access.AUTHENTICATED,
    f"{_SCRIPTS}/DeleteTrainingScript": Access.AUTHENTICATED,
}
