# proxy of the old data centre
export http_proxy=http://old-proxy.corp.example:8080
export no_proxy=artifacts.corp.example
