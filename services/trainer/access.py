"""Who may call which method of the trainer."""

from __future__ import annotations

from services.common.auth import Access, AccessRules

_SERVICE = "/spanloop.trainer.v1.TrainerService"
_RESOURCES = "/spanloop.trainer.v1.ResourceService"
_REPORTS = "/spanloop.trainer.v1.TrainingReportService"
_SETTINGS = "/spanloop.trainer.v1.TrainingSettingsService"
_GROUPS = "/spanloop.trainer.v1.TrainingGroupService"

ACCESS: AccessRules = {
    f"{_SERVICE}/CreateTrainingJob": Access.AUTHENTICATED,
    f"{_SERVICE}/GetTrainingJob": Access.AUTHENTICATED,
    f"{_SERVICE}/ListTrainingJobs": Access.AUTHENTICATED,
    f"{_SERVICE}/CancelTrainingJob": Access.AUTHENTICATED,
    f"{_SERVICE}/WatchTrainingJob": Access.AUTHENTICATED,
    f"{_RESOURCES}/DescribeParameters": Access.AUTHENTICATED,
    f"{_RESOURCES}/ListResources": Access.AUTHENTICATED,
    f"{_REPORTS}/GetTrainingReport": Access.AUTHENTICATED,
    f"{_REPORTS}/DownloadTrainingReport": Access.AUTHENTICATED,
    f"{_REPORTS}/DownloadTrainingLogs": Access.AUTHENTICATED,
    f"{_SETTINGS}/GetTrainingSettings": Access.AUTHENTICATED,
    f"{_SETTINGS}/UpdateTrainingSettings": Access.AUTHENTICATED,
    f"{_SETTINGS}/GetActiveLearningState": Access.AUTHENTICATED,
    f"{_GROUPS}/CreateTrainingGroup": Access.AUTHENTICATED,
    f"{_GROUPS}/GetTrainingGroup": Access.AUTHENTICATED,
}
