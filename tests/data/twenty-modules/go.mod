module app.test

go 1.21

require (
	git.corp.test/Team/Tools v0.3.0
	git.corp.test/team/hello v1.1.0
	gopkg.in/check.v1 v0.0.0-20200902000000-038fdea00000
	github.com/Masterminds/semver/v3 v3.2.0
	github.com/cespare/xxhash/v2 v2.1.1
	github.com/davecgh/go-spew v1.1.1
	github.com/fatih/color v1.7.0
	github.com/google/go-cmp v0.5.9
	github.com/google/uuid v1.3.0
	github.com/kr/pretty v0.3.0
	github.com/kr/text v0.2.0
	github.com/mattn/go-colorable v0.1.13
	github.com/mattn/go-isatty v0.0.17
	github.com/pkg/errors v0.9.1
	github.com/pmezard/go-difflib v1.0.0
	github.com/stretchr/objx v0.5.0
	github.com/stretchr/testify v1.8.1
	golang.org/x/xerrors v0.0.0-20200804000000-5ec99f800000
	golang.org/x/sync v0.1.0
	gopkg.in/yaml.v3 v3.0.1
)
