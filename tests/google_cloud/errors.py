"""Refusals in the forms in which Google's services write them."""

from __future__ import annotations

from typing import Any

# google.rpc.Code by status of HTTP.
CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(
        self, status: int, message: str, *, reason: str = "", code: str = "", **metadata: str
    ) -> None:
        """Keep what it says.

        Args:
            status: Of HTTP.
            message: For people.
            reason: Of its ErrorInfo; empty for an answer without one.
            code: Of google.rpc, where it is not the usual one of that status.
            metadata: Of its ErrorInfo.
        """
        super().__init__(message)
        self.status = status
        self.code = code or CODES[status]
        self.reason = reason
        self.metadata = metadata

    def body(self) -> dict[str, Any]:
        """As most services write it (https://google.aip.dev/193)."""
        error: dict[str, Any] = {"code": self.status, "message": str(self), "status": self.code}
        if self.reason:
            info = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": self.reason,
                "domain": "googleapis.com",
                "metadata": self.metadata,
            }
            error["details"] = [info]
        return {"error": error}

    def storage_body(self) -> dict[str, Any]:
        """As Cloud Storage writes it, which has no status and no details."""
        message = str(self)
        errors = [{"message": message, "domain": "global", "reason": self.code.lower()}]
        return {"error": {"code": self.status, "message": message, "errors": errors}}


def denied(permission: str, resource: str) -> ApiError:
    """What a caller without a permission is told; also where there is no such thing."""
    return ApiError(
        403,
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
        reason="IAM_PERMISSION_DENIED",
        permission=permission,
        resource=resource,
    )


def disabled(api: str, number: str) -> ApiError:
    """What is told by an API that was never enabled."""
    return ApiError(
        403,
        f"{api} has not been used in project {number} before or it is disabled. Enable it by"
        f" visiting https://console.developers.google.com/apis/api/{api}/overview?project={number}"
        " then retry.",
        reason="SERVICE_DISABLED",
        service=api,
        consumer=f"projects/{number}",
    )
