create table t(a); insert into t values ('é'), (42); select * from t;
