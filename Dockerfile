# The service of a run: docker build -t mercato . && docker run -p 8000:8000 -v "$PWD/runs/demo:/run/mercato" mercato
# Other machines reach it, so it asks for tokens: mercato service token makes them (docs/service.md).
FROM python:3.11-slim
WORKDIR /opt/mercato
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[postgresql,streams]'
RUN useradd --create-home shop
USER shop
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')"]
CMD ["mercato", "serve", "/run/mercato", "--host", "0.0.0.0", "--port", "8000"]
