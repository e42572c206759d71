"""A server that verifies API keys with djangorestframework-api-key, with SQLite. `/revoke` revokes the latest key, `/restore`
restores it.

`python django_app.py DATABASE KEYS` creates the keys and prints one. Then gunicorn serves `django_app:application`.
"""

import os
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a secret of this benchmark alone",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="django_app",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "rest_framework_api_key"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("BENCH_DATABASE") or sys.argv[1],
            "CONN_MAX_AGE": None,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    API_KEY_CUSTOM_HEADER="HTTP_X_API_KEY",
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402
from rest_framework_api_key.permissions import HasAPIKey  # noqa: E402


class Guarded(APIView):
    authentication_classes = []
    permission_classes = [HasAPIKey]

    def get(self, request):
        return Response(status=204)


def set_revoked(revoked):
    def view(request):
        latest = APIKey.objects.latest("created")
        APIKey.objects.filter(pk=latest.pk).update(revoked=revoked)
        return HttpResponse(status=204)

    return view


urlpatterns = [path("", Guarded.as_view()), path("revoke", set_revoked(True)), path("restore", set_revoked(False))]
application = get_wsgi_application()

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    for number in range(int(sys.argv[2])):
        _, value = APIKey.objects.create_key(name=f"key {number}")
    print(value)
