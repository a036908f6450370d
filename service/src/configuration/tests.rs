use super::*;

fn parse(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Settings, clap::Error> {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::parse(
        std::iter::once("faciliauto-service").chain(arguments.iter().copied()),
        environment,
    )
}

/// Prevents a default from moving unnoticed: people and probes rely on these ports and times.
#[test]
fn with_nothing_set_it_serves_from_memory_on_port_8000() {
    let settings = parse(&[], &[]).unwrap();
    let expected = Settings {
        command: Command::Serve,
        listen: "0.0.0.0:8000".parse().unwrap(),
        metrics_listen: "0.0.0.0:9090".parse().unwrap(),
        tls: None,
        redis: None,
        admin_token_file: None,
        log_level: LogLevel::Info,
        access_log_sample: 1,
        drain: Duration::from_secs(10),
        readiness_delay: Duration::ZERO,
        workers: std::thread::available_parallelism().unwrap().get(),
        limits: Limits::Local,
        quotas: Quotas::default(),
        cache: CacheSettings {
            lifetime: Duration::from_secs(300),
            most_bytes: 8 << 20,
        },
        trusted_hops: 0,
        cors_origins: AllowedOrigins::default(),
        open_history: false,
        backup_retention_days: 7,
        report_file: None,
        unknown_variables: vec![],
    };
    assert_eq!(settings, expected);
    assert_eq!(settings.local_address().to_string(), "127.0.0.1:8000");
}

/// Prevents a variable that the operator sets from being dropped on its way into a setting.
#[test]
fn every_flag_can_be_given_as_a_variable() {
    let variables = [
        ("FACILIAUTO_LISTEN", "127.0.0.1:8001"),
        ("FACILIAUTO_METRICS_LISTEN", "127.0.0.1:9091"),
        ("FACILIAUTO_TLS_CERTIFICATE_FILE", "/etc/faciliauto/tls/tls.crt"),
        ("FACILIAUTO_TLS_KEY_FILE", "/etc/faciliauto/tls/tls.key"),
        ("FACILIAUTO_REDIS_URL", "redis://api@shop-redis:6379"),
        ("FACILIAUTO_REDIS_PASSWORD_FILE", "/etc/faciliauto/redis/password"),
        ("FACILIAUTO_TRUST_CA_FILE", "/etc/faciliauto/trust/ca.crt"),
        ("FACILIAUTO_KEY_PREFIX", "shops:shop"),
        ("FACILIAUTO_ADMIN_TOKEN_FILE", "/etc/faciliauto/admin/tokens"),
        ("FACILIAUTO_LOG_LEVEL", "debug"),
        ("FACILIAUTO_ACCESS_LOG_SAMPLE", "15"),
        ("FACILIAUTO_DRAIN_SECONDS", "11"),
        ("FACILIAUTO_READINESS_DELAY_SECONDS", "12"),
        ("FACILIAUTO_WORKERS", "13"),
        ("FACILIAUTO_LIMITS", "off"),
        ("FACILIAUTO_LIMIT_RECOMMEND", "21/22"),
        ("FACILIAUTO_LIMIT_STATS", "23/24"),
        ("FACILIAUTO_LIMIT_DEFAULT", "25/26"),
        ("FACILIAUTO_CACHE_TTL_SECONDS", "27"),
        ("FACILIAUTO_CACHE_MAX_BYTES", "28"),
        ("FACILIAUTO_TRUSTED_HOPS", "14"),
        (
            "FACILIAUTO_CORS_ORIGINS",
            "https://loja.example,http://localhost:5173",
        ),
        ("FACILIAUTO_OPEN_HISTORY", "true"),
        ("FACILIAUTO_BACKUP_RETENTION_DAYS", "15"),
        ("FACILIAUTO_REPORT_FILE", "/dev/termination-log"),
        ("PATH", "/bin"),
    ];
    let expected = Settings {
        command: Command::Import(ImportSource::Sample),
        listen: "127.0.0.1:8001".parse().unwrap(),
        metrics_listen: "127.0.0.1:9091".parse().unwrap(),
        tls: Some(TlsFiles {
            certificate: "/etc/faciliauto/tls/tls.crt".into(),
            key: "/etc/faciliauto/tls/tls.key".into(),
        }),
        redis: Some(ConnectionSettings {
            url: UrlSource::Given(Secret::new("redis://api@shop-redis:6379".to_owned())),
            password_file: Some("/etc/faciliauto/redis/password".into()),
            trust_ca_file: Some("/etc/faciliauto/trust/ca.crt".into()),
            key_prefix: "shops:shop".to_owned(),
        }),
        admin_token_file: Some("/etc/faciliauto/admin/tokens".into()),
        log_level: LogLevel::Debug,
        access_log_sample: 15,
        drain: Duration::from_secs(11),
        readiness_delay: Duration::from_secs(12),
        workers: 13,
        limits: Limits::Off,
        quotas: Quotas {
            recommend: Quota::new(21, 22),
            stats: Quota::new(23, 24),
            other: Quota::new(25, 26),
        },
        cache: CacheSettings {
            lifetime: Duration::from_secs(27),
            most_bytes: 28,
        },
        trusted_hops: 14,
        cors_origins: "https://loja.example,http://localhost:5173".parse().unwrap(),
        open_history: true,
        backup_retention_days: 15,
        report_file: Some("/dev/termination-log".into()),
        unknown_variables: vec![],
    };
    assert_eq!(parse(&["import", "--sample"], &variables).unwrap(), expected);
}

/// Prevents a person's flag from losing against the environment, before or after a subcommand.
#[test]
fn a_flag_wins_over_its_variable() {
    let variables = [
        ("FACILIAUTO_LISTEN", "127.0.0.1:1"),
        ("FACILIAUTO_REDIS_URL", "redis://a"),
    ];
    for line in [
        &["--listen", "127.0.0.1:2", "healthcheck"],
        &["healthcheck", "--listen", "127.0.0.1:2"],
    ] {
        let settings = parse(line, &variables).unwrap();
        assert_eq!(settings.listen.port(), 2, "{line:?}");
        assert_eq!(settings.command, Command::Healthcheck);
    }
}

/// Prevents replicas from counting each for itself when nothing is said.
#[test]
fn limits_are_shared_where_there_is_a_redis() {
    let limits = |arguments: &[&str]| parse(arguments, &[]).unwrap().limits;
    assert_eq!(limits(&[]), Limits::Local);
    assert_eq!(limits(&["--redis-url", "redis://a"]), Limits::Redis);
    assert_eq!(
        limits(&["--redis-url", "redis://a", "--limits", "local"]),
        Limits::Local
    );
}

/// Prevents the links that Kubernetes adds beside a Service called `faciliauto` from stopping the program.
#[test]
fn unknown_variables_are_only_named() {
    let links = [
        ("FACILIAUTO_PORT", "tcp://10.0.0.1:80"),
        ("FACILIAUTO_SERVICE_HOST", "10.0.0.1"),
        ("FACILIAUTO_REDIS_PORT", "tcp://10.0.0.2:6379"),
        ("FACILIAUTO_REDIS_URL", ""),
    ];
    let settings = parse(&[], &links).unwrap();
    assert_eq!(settings.redis, None, "an empty variable is unset");
    assert_eq!(
        settings.unknown_variables,
        [
            "FACILIAUTO_PORT",
            "FACILIAUTO_REDIS_PORT",
            "FACILIAUTO_SERVICE_HOST"
        ]
    );
}

/// Prevents a half-configured process from starting as if it were complete.
#[test]
fn contradictions_are_refused_with_the_flag_named() {
    for (line, named) in [
        (&["import", "--sample"][..], "--redis-url"),
        (
            &["--redis-url", "redis://a", "--redis-url-file", "b"],
            "--redis-url-file",
        ),
        (&["--redis-password-file", "b"], "--redis-password-file"),
        (&["--redis-url", "redis://a", "import"], "--sample"),
        (
            &["--redis-url", "redis://a", "import", "--sample", "--none"],
            "--none",
        ),
        (&["--tls-certificate-file", "a"], "--tls-key-file"),
        (&["--tls-key-file", "a"], "--tls-certificate-file"),
        (&["--key-prefix", "a*"], "--key-prefix"),
        (&["--workers", "0"], "--workers"),
        (&["--limits", "redis"], "--limits"),
        (&["--limits", "some"], "--limits"),
        (&["--limit-recommend", "0/5"], "--limit-recommend"),
        (&["--limit-stats", "10001/5"], "--limit-stats"),
        (&["--limit-default", "5"], "--limit-default"),
        (&["--cache-ttl-seconds", "86401"], "--cache-ttl-seconds"),
        (&["--cache-max-bytes", "8Mi"], "--cache-max-bytes"),
        (&["--trusted-hops", "17"], "--trusted-hops"),
        (&["--cors-origins", "https://a.example/,b"], "--cors-origins"),
        (&["--log-level", "loud"], "--log-level"),
        (&["--open-history=talvez"], "--open-history"),
        (&["--backup-retention-days", "0"], "--backup-retention-days"),
    ] {
        let message = parse(line, &[]).expect_err("refused").to_string();
        assert!(message.contains(named), "{line:?}: {message}");
    }
}

/// Prevents the URL's password from reaching a log through a debug print.
#[test]
fn secrets_are_not_printed() {
    let settings = parse(&["--redis-url", "redis://api:hunter2@host"], &[]).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}

/// Prevents a flag whose variable a person cannot find out.
#[test]
fn help_names_the_variables() {
    let help = parse(&["--help"], &[]).expect_err("help").to_string();
    assert!(help.contains("[env: FACILIAUTO_KEY_PREFIX]"), "{help}");
}

/// Prevents the Job of a password change from being started with what the operator did not mean.
#[test]
fn users_are_brought_from_a_file_to_a_redis() {
    let variables = [
        ("FACILIAUTO_REDIS_URL", "redis://acl-sync@shop-redis:6379"),
        ("FACILIAUTO_REDIS_ACL_FILE", "/etc/faciliauto/redis-acl/users.acl"),
        ("FACILIAUTO_REDIS_OWN_USERS", "api,health"),
    ];
    let line = ["redis", "acl", "sync"];
    let expected = Command::SyncUsers(UsersSource {
        file: "/etc/faciliauto/redis-acl/users.acl".into(),
        own_users: vec!["api".to_owned(), "health".to_owned()],
    });
    assert_eq!(parse(&line, &variables).unwrap().command, expected);
    for (left_out, named) in [(0, "--redis-url"), (1, "--redis-acl-file")] {
        let mut fewer = variables.to_vec();
        fewer.remove(left_out);
        let message = parse(&line, &fewer).expect_err("it cannot work").to_string();
        assert!(message.contains(named), "{message}");
    }
    for incomplete in [&line[..1], &line[..2]] {
        assert!(parse(incomplete, &variables).is_err(), "{incomplete:?}");
    }
}

/// Prevents a variable that a backup's Job is given from being dropped on its way into a setting.
#[test]
fn every_flag_of_a_backup_can_be_given_as_a_variable() {
    let variables = [
        ("FACILIAUTO_REDIS_URL", "redis://shop-redis:6379"),
        ("FACILIAUTO_BACKUP_TARGET", "s3://bucket/shops/one/"),
        ("FACILIAUTO_BACKUP_SOURCE", "/source"),
        ("FACILIAUTO_BACKUP_ENCRYPT_TO", "age1a,age1b"),
        (
            "FACILIAUTO_BACKUP_IDENTITY_FILE",
            "/etc/faciliauto/identity/identity.txt",
        ),
        ("FACILIAUTO_BACKUP_WORK_DIR", "/work"),
        ("FACILIAUTO_BACKUP_KEEP_DAYS", "9"),
        (
            "FACILIAUTO_BACKUP_DECLARED",
            "/etc/faciliauto/declared/resource.yaml",
        ),
        ("FACILIAUTO_BACKUP_S3_ENDPOINT", "https://storage:9000"),
        ("FACILIAUTO_BACKUP_S3_REGION", "sa-east-1"),
        ("FACILIAUTO_BACKUP_S3_PATH_STYLE", "true"),
        ("FACILIAUTO_BACKUP_S3_CA_FILE", "/etc/faciliauto/s3-ca/ca.crt"),
        ("FACILIAUTO_BACKUP_SOURCE_S3_ENDPOINT", ""),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("FACILIAUTO_BACKUP_TARGETS", "a typing error"),
    ];
    let arguments = ["backup", "restore", "latest", "--id", "r1", "--phase", "snapshot"];
    let settings = parse(&arguments, &variables).unwrap();
    assert_eq!(settings.unknown_variables, ["FACILIAUTO_BACKUP_TARGETS"]);
    let s3 = backup::S3Settings {
        endpoint: Some("https://storage:9000".to_owned()),
        region: Some("sa-east-1".to_owned()),
        path_style: true,
        ca_file: Some("/etc/faciliauto/s3-ca/ca.crt".into()),
        credentials: Credentials::of(&[("AWS_ACCESS_KEY_ID".to_owned(), "key".to_owned())]),
    };
    let target = backup::TargetSettings {
        place: backup::Place::Bucket {
            bucket: "bucket".to_owned(),
            prefix: "shops/one".to_owned(),
        },
        s3: s3.clone(),
    };
    let expected = backup::RestoreSettings {
        name: backup::Wanted::Latest,
        id: "r1".to_owned(),
        target: target.clone(),
        source: Some(backup::TargetSettings {
            place: backup::Place::Directory("/source".into()),
            s3,
        }),
        identity_file: Some("/etc/faciliauto/identity/identity.txt".into()),
        encrypt_to: vec!["age1a".to_owned(), "age1b".to_owned()],
        phase: Some((backup::Phase::Snapshot, "/work".into())),
    };
    assert_eq!(
        settings.command,
        Command::Backup(Box::new(BackupCommand::Restore(Box::new(expected))))
    );
    let arguments = ["backup", "run", "--keep-days", "3", "--kind", "scheduled"];
    let Command::Backup(run) = parse(&arguments, &variables).unwrap().command else {
        panic!("it is about backups");
    };
    let BackupCommand::Run {
        keep_days, declared, ..
    } = *run
    else {
        panic!("it is a run");
    };
    assert_eq!(keep_days, Some(3), "a flag wins over its variable");
    assert_eq!(declared, Some("/etc/faciliauto/declared/resource.yaml".into()));
}

/// Prevents a trial from opening a store, and what is meant for a file from being passed over where there is none.
#[test]
fn what_is_said_of_a_file_needs_one() {
    let import = |further: &[&str]| {
        let arguments = ["--redis-url", "redis://redis", "import"];
        parse(&[&arguments, further].concat(), &[])
    };
    for refused in [
        &["--dry-run", "--sample"][..],
        &["--none", "--dry-run"],
        &["--sample", "--dealership", "d1"],
        &["--none", "--dealership", "d1", "--if-match", "x"],
        &["--if-match", "x", "file"],
        &["--dry-run"],
        &["--sample", "file"],
    ] {
        assert!(import(refused).is_err(), "{refused:?}");
    }
    let all = ["--dry-run", "--dealership", "d1", "--if-match", "x", "file"];
    let expected = Command::Import(ImportSource::File(ImportFile {
        path: "file".into(),
        dealership: Some("d1".to_owned()),
        if_match: Some("x".to_owned()),
        dry_run: true,
    }));
    assert_eq!(import(&all).unwrap().command, expected);
}
